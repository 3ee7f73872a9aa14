#!/usr/bin/env python
"""Draws a dataset of portraits with exact alpha mattes, to try everything without photos.

With --clips, it draws clips of people who move. The same seed draws the same pictures. The same
command resumes an interrupted run.
"""

import argparse
import os
import signal
from multiprocessing import Pool
from typing import Any, Callable, List, NamedTuple, Sequence

from mmnet import cli

with cli.starting():
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from mmnet import files
    from mmnet.datasets import clips
    from mmnet.datasets.synthetic import draw_portrait
    from mmnet.errors import UserError

MADE_WITH = 'synthetic.json'
# Portraits of each split, and frames of each clip, unless flags say otherwise.
TRAIN, TEST, FRAMES = 1000, 100, 48
# A portrait's seed includes its split, so no test portrait is ever a training portrait.
SPLITS = ('train', 'test')


class ClipTask(NamedTuple):
    """A clip to draw: the seed of its randomness, its size, its frames, its folder."""
    seed: List[int]
    width: int
    height: int
    frames: int
    folder: str


class Task(NamedTuple):
    """A portrait to draw: the seed of its randomness, its size, its files."""
    seed: List[int]
    width: int
    height: int
    image: str
    mask: str


def main() -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument('dest', help='the folder to make; train.py takes it as --dataset_path')
    parser.add_argument('--train', type=cli.positive(int),
                        help=f'portraits to train on; by default {TRAIN}')
    parser.add_argument('--test', type=cli.positive(int),
                        help=f'portraits to measure on; by default {TEST}')
    parser.add_argument('--clips', type=cli.positive(int), help='number of clips to draw '
                        'with exact mattes, as DEST/<clip>/{image,mask}, instead of portraits')
    parser.add_argument('--frames', type=cli.positive(int),
                        help=f'of each clip; by default {FRAMES}')
    parser.add_argument('--width', type=cli.positive(int), default=192, help='in pixels')
    parser.add_argument('--height', type=cli.positive(int), default=256, help='in pixels')
    parser.add_argument('--seed', type=cli.seed, default=0,
                        help='another one draws other portraits')
    args = parser.parse_args()
    if min(args.width, args.height) < 32:
        raise UserError(f'--width {args.width} --height {args.height}: too small for a portrait; '
                        f'at least 32')
    made_with = {'width': args.width, 'height': args.height, 'seed': args.seed}
    if args.clips:
        if args.train or args.test:
            raise UserError('--train and --test: are for portraits; leave them out with --clips')
        args.frames = args.frames or FRAMES
        files.reserve_directory(args.dest, MADE_WITH, {**made_with, 'frames': args.frames})
        return draw_clips(args)
    if args.frames:
        raise UserError('--frames: is for clips; pass --clips with it')
    args.train, args.test = args.train or TRAIN, args.test or TEST
    files.reserve_directory(args.dest, MADE_WITH, made_with)
    for split in SPLITS:
        for kind in ('image', 'mask'):
            files.make_directory(os.path.join(args.dest, split, kind))
    for split, count in zip(SPLITS, (args.train, args.test)):
        there = sum(name.endswith('.jpg')
                    for name in os.listdir(os.path.join(args.dest, split, 'image')))
        if there > count:
            raise UserError(f'--{split} {count}: {args.dest} holds {there} already; choose another '
                            f'folder, or at least {there}')
    run(draw, [task for split, count in zip(SPLITS, (args.train, args.test))
               for task in missing(args, split, count)], ' portraits')
    print(f'{args.dest}: {args.train} portraits to train on, {args.test} to measure on')
    return 0


def draw_clips(args: argparse.Namespace) -> int:
    """Draws the clips that are not there yet."""
    tasks = [ClipTask([args.seed, len(SPLITS), index], args.width, args.height, args.frames,
                      os.path.join(args.dest, f'{index:03}')) for index in range(args.clips)]
    run(draw_clip, [task for task in tasks if not os.path.isdir(task.folder)], ' clips')
    print(f'{args.dest}: {args.clips} clips of {args.frames} frames')
    return 0


def run(work: Callable[[Any], None], tasks: Sequence[Any], unit: str) -> None:
    """Does all tasks, on all cores, with a bar."""
    # Ctrl-C reaches this process alone, which ends the others.
    with Pool(initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        for _ in tqdm(pool.imap_unordered(work, tasks, chunksize=1 + len(tasks) // 200),
                      total=len(tasks), desc='drawing', unit=unit, disable=None):
            pass


def missing(args: argparse.Namespace, split: str, count: int) -> List[Task]:
    """Lists the portraits of a split that are not drawn yet."""
    folder = os.path.join(args.dest, split)
    tasks = [Task([args.seed, SPLITS.index(split), index], args.width, args.height,
                  f'{folder}/image/{index:05}.jpg',
                  f'{folder}/mask/{index:05}.png') for index in range(count)]
    return [task for task in tasks
            if not (os.path.exists(task.image) and os.path.exists(task.mask))]


def draw_clip(task: ClipTask) -> None:
    """Draws a clip, whole or not at all."""
    rng = np.random.RandomState(task.seed)
    person, background = clips.drawn_person(rng, task.width, task.height)
    clips.write_clip(task.folder, lambda: clips.clip_of(person, background, rng, task.frames))


def draw(task: Task) -> None:
    """Draws a portrait and writes its two files, each whole or not at all."""
    portrait = draw_portrait(np.random.RandomState(task.seed), task.width, task.height)
    for path, pixels, form in ((task.image, portrait.image, 'JPEG'),
                               (task.mask, portrait.alpha, 'PNG')):
        with files.replacing(path) as partial:
            Image.fromarray(np.round(pixels * 255).astype(np.uint8)).save(partial, form,
                                                                          quality=95)


if __name__ == '__main__':
    cli.run(main)
