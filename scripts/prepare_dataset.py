#!/usr/bin/env python
"""Turns a public portrait set, or any two folders, into the layout that training reads.

Photos are copied unchanged; masks become 8-bit PNG. The same command resumes an
interrupted run. Pairs that cannot be used are left out and listed in DEST/skipped.txt.

  aisegment    SOURCE holds clip_img and matting
  ccp          SOURCE is clothing-co-parsing, holds photos and annotations; upper halves are kept
  eg1800       SOURCE holds images_data_crop, images_mask, trainlist.mat, testlist.mat
  p3m          SOURCE is P3M-10k, holds train and validation
  ppm100       SOURCE is PPM-100, holds image and matte
  supervisely  SOURCE holds ds1, ds2, … with img and ann in each
  folder       SOURCE holds a folder of photos and one of masks (--image_folder, --mask_folder)
"""

import argparse
import dataclasses
import glob
import os
import shutil
import sys
from collections import Counter
from multiprocessing.pool import ThreadPool
from typing import Dict, List, Optional, Set, Tuple

from mmnet import cli

with cli.starting():
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from mmnet import files
    from mmnet.data import decode, pairs
    from mmnet.datasets import layouts
    from mmnet.datasets.soften import soften
    from mmnet.errors import UserError

MADE_WITH = 'prepared.json'
SKIPPED = 'skipped.txt'
# The default share of photos to test on.
TEST_FRACTION = 0.1


def main() -> int:
    parser = make_parser()
    args = parser.parse_args()
    read = ([os.path.join(args.source, name) for name in (args.image_folder, args.mask_folder)]
            if args.format == 'folder' else [args.source] if args.format == 'eg1800' else [])
    for folder in read:
        if os.path.realpath(args.dest).startswith(os.path.join(os.path.realpath(folder), '')):
            raise UserError(f'{args.dest}: lies in {folder}, all of which {args.format} reads; '
                            f'choose a folder elsewhere')
    if args.format == 'folder':
        layout = layouts.folder(args.source, args.image_folder, args.mask_folder, args.mask_suffix)
    elif any(getattr(args, name) != parser.get_default(name)
             for name in ('image_folder', 'mask_folder', 'mask_suffix')):
        raise UserError(f'--image_folder, --mask_folder and --mask_suffix: are for the format '
                        f'folder; leave them out for {args.format}')
    else:
        layout = layouts.LAYOUTS[args.format](args.source)
    items, problems = assign_splits(layout, args)
    made_with = {
        'format': args.format, 'source': os.path.abspath(args.source),
        'test_list': args.test_list and os.path.abspath(args.test_list),
        'test_fraction': args.test_fraction or TEST_FRACTION, 'seed': args.seed or 0}
    if args.soften:
        made_with['soften'] = True
    if args.format == 'folder':
        made_with.update(image_folder=args.image_folder, mask_folder=args.mask_folder,
                         mask_suffix=args.mask_suffix)
    files.reserve_directory(args.dest, MADE_WITH, made_with)

    kept = sum(is_prepared(item, args.dest) for item in items)
    made: Dict[str, int] = Counter()
    with ThreadPool(os.cpu_count()) as pool:
        done = pool.imap(lambda item: prepare(item, args.dest, args.soften), items)
        for item, problem in zip(items, tqdm(done, total=len(items), desc='preparing',
                                             unit=' pairs', disable=None)):
            if problem:
                problems.append(problem)
            else:
                made[item.split] += 1
    report(args.dest, made, kept, problems)
    return 0 if made else 1


def make_parser() -> cli.Parser:
    parser = cli.Parser(__doc__)
    parser.add_argument('format', choices=sorted(layouts.LAYOUTS), help='the set')
    parser.add_argument('source', help='where the set is')
    parser.add_argument('dest', help='the folder to make; train.py takes it as --dataset_path')
    parser.add_argument('--soften', action='store_true', help='make hard masks soft along their '
                        'edges, by closed-form matting: some seconds for each pair')
    split = parser.add_argument_group(
        'split', 'Clothing Co-Parsing, EG1800 (in its lists), P3M-10k and PPM-100 define their own '
        'test split.')
    split.add_argument('--test_list', help='a text file of the names to test on, one on each line; '
                       'all others are for training')
    split.add_argument('--test_fraction', type=cli.fraction,
                       help=f'without a list: the share to test on ({TEST_FRACTION})')
    split.add_argument('--seed', type=cli.seed,
                       help='without a list: another seed draws another share (0)')
    folder = parser.add_argument_group('folder')
    folder.add_argument('--image_folder', default='image', help='name of the folder of photos')
    folder.add_argument('--mask_folder', default='mask', help='name of the folder of masks')
    folder.add_argument('--mask_suffix', default='', help='suffix that masks\' names add to '
                        'those of their photos, such as _mask')
    return parser


def assign_splits(layout: layouts.Layout,
                  args: argparse.Namespace) -> Tuple[List[layouts.Item], List[Tuple[str, str]]]:
    """Gives every item a split: from the list, from the set itself, or drawn.

    Returns:
        the items, and each problem as a path and a reason.

    Raises:
        UserError: for a list that cannot be read.
    """
    problems = list(layout.problems)
    if args.test_list:
        if args.test_fraction or args.seed is not None:
            raise UserError('--test_fraction and --seed: draw a test split; leave them out with '
                            '--test_list')
        stems: Set[str] = {item.stem for item in layout.items}
        wanted: Set[str] = set()
        for entry in read_list(args.test_list):
            # A dot in a name need not begin an extension.
            name = named_by(entry, stems) or named_by(os.path.splitext(entry)[0], stems)
            if name:
                wanted.add(name)
            else:
                problems.append((args.test_list, f'names {entry}, which is not there'))
        return [dataclasses.replace(item, split='test' if item.stem in wanted else 'train')
                for item in layout.items], problems
    if all(item.split for item in layout.items) and (args.test_fraction or args.seed is not None):
        raise UserError(f'--test_fraction and --seed: {args.format} defines its own test split; '
                        f'leave them out, or give --test_list')
    return [item if item.split else dataclasses.replace(item, split=draw(item.stem, args))
            for item in layout.items], problems


def named_by(entry: str, stems: Set[str]) -> Optional[str]:
    """Returns the stem that an entry of a list means; it may have more folders than the stem."""
    parts = os.path.normpath(entry).split(os.sep)
    # `b/1` is `b_1` if that exists, not `1`.
    names = ('_'.join(parts[start:]) for start in range(len(parts)))
    return next((name for name in names if name in stems), None)


def read_list(path: str) -> List[str]:
    """Reads the names or paths in a text file, one on each line."""
    try:
        # Some editors begin a file with a mark of its byte order.
        with open(path, encoding='utf-8-sig') as file:
            lines = file.read().split('\n')
    except (OSError, ValueError) as error:
        raise UserError(f'--test_list {path}: cannot be read ({error})')
    return [line.strip() for line in lines if line.strip()]


def draw(stem: str, args: argparse.Namespace) -> str:
    """Draws a split from the name and the seed alone, so it stays when photos are added."""
    share = pairs.drawn_share(f'{args.seed or 0} {stem}')
    return 'test' if share < (args.test_fraction or TEST_FRACTION) else 'train'


def prepare(item: layouts.Item, dest: str, softened: bool) -> Optional[Tuple[str, str]]:
    """Writes a pair unless it exists; returns path and reason if it cannot be used."""
    image_path, mask_path = paths_of(item, dest)
    base, extension = os.path.splitext(image_path)
    elsewhere = [path for path in glob.glob(os.path.join(
        glob.escape(dest), '*', 'mask', glob.escape(item.stem) + '.png')) if path != mask_path]
    if elsewhere:
        return item.image, f'is in another split already (as {elsewhere[0]})'
    if is_prepared(item, dest):
        return None
    others = [path for path in glob.glob(glob.escape(base) + '.*')
              if os.path.splitext(path)[0] == base and path != image_path]
    if others:
        return item.image, f'is there already in another format (as {others[0]})'
    try:
        image = decode.read_image(item.image)
    except decode.UNREADABLE as error:
        return item.image, f'the image cannot be read ({error})'
    try:
        mask = item.read_mask()
    except decode.UNREADABLE + layouts.UNREADABLE as error:
        return item.image, f'the mask cannot be read ({error})'
    if not mask.any():
        return item.image, 'the mask is empty'
    if not pairs.same_aspect(image.shape[1::-1], mask.shape[::-1]):
        return item.image, 'the mask has another aspect ratio'
    if softened:
        try:
            mask = soften(image, mask)
        except ValueError as error:
            return item.image, f'the mask cannot be softened ({error})'
    if item.full_length:
        if not (mask > 127).any():
            return item.image, 'the mask is empty'
        image, mask = upper_bodies(image, mask)
    if min(mask.shape) < pairs.SMALLEST_MASK:
        return item.image, 'is too small to be measured'
    for path in (image_path, mask_path):
        files.make_directory(os.path.dirname(path))
    with files.replacing(image_path) as partial:
        if item.full_length:
            kind = 'PNG' if extension.lower() == '.png' else 'JPEG'
            Image.fromarray(image).save(partial, kind, quality=95)
        elif extension == os.path.splitext(item.image)[1]:
            shutil.copyfile(item.image, partial)
        else:
            Image.fromarray(image).save(partial, 'PNG')
    with files.replacing(mask_path) as partial:
        Image.fromarray(mask).save(partial, 'PNG')
    return None


def paths_of(item: layouts.Item, dest: str) -> Tuple[str, str]:
    """Returns where the photo and the mask of an item are written."""
    assert item.split
    extension = os.path.splitext(item.image)[1]
    if extension.lower() not in pairs.EXTENSIONS:
        extension = '.png'
    return (os.path.join(dest, item.split, 'image', item.stem + extension),
            os.path.join(dest, item.split, 'mask', item.stem + '.png'))


def is_prepared(item: layouts.Item, dest: str) -> bool:
    """Returns whether both files of an item are there."""
    return all(map(os.path.exists, paths_of(item, dest)))


def upper_bodies(image: np.ndarray, mask: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Cuts the upper half of a person out of a photo `[H', W', 3]` and its mask `[H, W]`."""
    left, top, right, bottom = layouts.upper_body(mask)
    scale = image.shape[0] / mask.shape[0]
    box = [int(round(edge * scale)) for edge in (left, top, right, bottom)]
    return image[box[1]:box[3], box[0]:box[2]], mask[top:bottom, left:right]


def report(dest: str, made: Dict[str, int], kept: int, problems: List[Tuple[str, str]]) -> None:
    """Prints the number of pairs in each split and of those kept, and why others were left out."""
    counts = ', '.join(f'{count} {split}' for split, count in sorted(made.items()))
    print(f'{dest}: {counts or "no pairs"}')
    if kept:
        print(f'{kept} were there already; delete a pair to prepare it again', file=sys.stderr)
    if made and not any(split.startswith('test') for split in made):
        print('nothing to test on: name some with --test_list, or raise --test_fraction',
              file=sys.stderr)
    path = os.path.join(dest, SKIPPED)
    files.write_text(''.join(f'{name}: {reason}\n' for name, reason in problems), path)
    if problems:
        print(f'{len(problems)} skipped, listed in {path}:', file=sys.stderr)
        reasons = Counter(reason.split(' (')[0] for _, reason in problems)
        for reason, count in reasons.most_common(10):
            print(f'  {count:6} {reason}', file=sys.stderr)


if __name__ == '__main__':
    cli.run(main)
