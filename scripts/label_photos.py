#!/usr/bin/env python
"""Writes a trained network's mattes of photos without masks as a data set to train on.

Photos are copied unchanged to DEST/<split>/image, mattes go to DEST/<split>/mask. The same command
resumes an interrupted run.
"""

import os
import shutil
import sys
from typing import Dict

from mmnet import cli

with cli.starting():
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from mmnet import environments, files, inference, pictures
    from mmnet.data import decode
    from mmnet.data.pairs import SMALLEST_MASK, find_photos, note_unread
    from mmnet.errors import UserError
    from mmnet.runtime import is_exported_file

MADE_WITH = 'labelled.json'


def main() -> int:
    parser = cli.Parser(__doc__)
    cli.add_matting_flags(parser)
    parser.add_argument('source', nargs='+', help='folders of photos')
    parser.add_argument('dest', help='the folder to make; train.py takes it as --dataset_path')
    parser.add_argument('--split', default='train', help='folder of the split')
    parser.add_argument('--confidence', type=cli.number(float, cli.Bounds(minimum=0, maximum=1)),
                        default=0.0, help='leave out photos where the mean of |2α − 1| is smaller')
    parser.add_argument('--skip_bad_pairs', action='store_true',
                        help='skip photos that cannot be read')
    args = parser.parse_args()
    runtime = environments.enter_for([args.model], args.runtime)
    # Photos of two folders may share a name.
    photos = [(f'{number}_{photo.stem}', photo.image) for number, folder in enumerate(args.source)
              for photo in find_photos(folder, args.skip_bad_pairs, flag='SOURCE')]
    paths: Dict[str, str] = {}
    for stem, path in photos:
        if paths.setdefault(stem, path) != path:
            raise UserError(f'{path}: has the same name as {paths[stem]}, so their mattes would '
                            f'collide; rename one')
    for folder in args.source:
        note_unread(folder, 'convert them to JPEG or PNG')
    model = network_of(args.model)
    predictor = inference.load(model, '--model', runtime)
    files.reserve_directory(args.dest, MADE_WITH, {
        'model': os.path.abspath(model), 'refine': args.refine, 'split': args.split,
        'confidence': args.confidence, 'source': [os.path.abspath(each) for each in args.source]})
    folders = {kind: os.path.join(args.dest, args.split, kind) for kind in ('image', 'mask')}
    for folder in folders.values():
        files.make_directory(folder)
    unsure, bad = 0, 0
    for stem, path in tqdm(photos, desc='labelling', unit=' photos', disable=None):
        mask_path = os.path.join(folders['mask'], stem + '.png')
        if os.path.exists(mask_path):
            continue
        try:
            image = decode.checked(decode.read_image, path)
        except UserError as error:
            bad += 1
            print(error, file=sys.stderr)
            continue
        if min(image.shape[:2]) < SMALLEST_MASK:
            bad += 1
            print(f'{path}: is too small to be measured', file=sys.stderr)
            continue
        alpha = inference.matte(predictor, image, args.refine)
        if np.abs(2 * alpha - 1).mean() < args.confidence:
            unsure += 1
            continue
        extension = os.path.splitext(path)[1]
        with files.replacing(os.path.join(folders['image'], stem + extension)) as partial:
            shutil.copyfile(path, partial)
        # The mask comes last: with it the pair exists.
        with files.replacing(mask_path) as partial:
            Image.fromarray(mask_of(alpha)).save(partial, 'PNG')
    made = sum(name.endswith('.png') for name in os.listdir(folders['mask']))
    print(f'{args.dest}: {made} {args.split} pairs; {unsure} left out as unsure')
    return 1 if bad and not args.skip_bad_pairs else 0


def mask_of(alpha: np.ndarray) -> np.ndarray:
    """Returns an alpha `[H, W]` in [0, 1] as a mask to train on, uint8."""
    mask = pictures.grey(alpha)
    # A mask of 0 and 1 would be taken for one of labels.
    return mask if mask.max() > 1 else np.zeros_like(mask)


def network_of(model: str) -> str:
    """Returns the file or the very checkpoint of --model; training may add later ones."""
    if is_exported_file(model) or model.endswith('.tflite'):
        return model
    # Only checkpoints need TensorFlow.
    from mmnet import checkpoints
    return checkpoints.resolve(model, '--model')


if __name__ == '__main__':
    cli.run(main)
