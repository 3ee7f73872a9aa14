#!/usr/bin/env python
"""Draws a dataset of portraits with exact alpha mattes, to try everything without photos.

The same seed draws the same portraits. The same command goes on where it was interrupted.
"""

import argparse
import os
import signal
import sys
from multiprocessing import Pool
from typing import List, NamedTuple

from mmnet import cli

with cli.starting():
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from mmnet import files
    from mmnet.datasets.synthetic import draw_portrait
    from mmnet.errors import UserError

MADE_WITH = 'synthetic.json'
# A portrait's seed includes its split, so no test portrait is ever a training portrait.
SPLITS = ('train', 'test')


class Task(NamedTuple):
    """A portrait to draw: the seed of its randomness, its size, its files."""
    seed: List[int]
    width: int
    height: int
    image: str
    mask: str


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('dest', help='the folder to make; train.py takes it as --dataset_path')
    parser.add_argument('--train', type=cli.positive(int), default=1000,
                        help='portraits to train on')
    parser.add_argument('--test', type=cli.positive(int), default=100,
                        help='portraits to measure on')
    parser.add_argument('--width', type=cli.positive(int), default=192, help='in pixels')
    parser.add_argument('--height', type=cli.positive(int), default=256, help='in pixels')
    parser.add_argument('--seed', type=cli.seed, default=0,
                        help='another one draws other portraits')
    args = parser.parse_args()
    if min(args.width, args.height) < 32:
        raise UserError(f'--width {args.width} --height {args.height}: too small for a portrait; '
                        f'at least 32')
    files.reserve_directory(args.dest, MADE_WITH, {'width': args.width, 'height': args.height,
                                                   'seed': args.seed})
    for split in SPLITS:
        for kind in ('image', 'mask'):
            files.make_directory(os.path.join(args.dest, split, kind))
    for split, count in zip(SPLITS, (args.train, args.test)):
        there = len(os.listdir(os.path.join(args.dest, split, 'image')))
        if there > count:
            raise UserError(f'--{split} {count}: {args.dest} holds {there} already; choose another '
                            f'folder or as many')
    tasks = [task for split, count in zip(SPLITS, (args.train, args.test))
             for task in missing(args, split, count)]
    # Ctrl-C reaches this process alone, which ends the others.
    with Pool(initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        for _ in tqdm(pool.imap_unordered(draw, tasks, chunksize=4), total=len(tasks),
                      desc='drawing', unit=' portraits', disable=not sys.stderr.isatty()):
            pass
    print(f'{args.dest}: {args.train} portraits to train on, {args.test} to measure on')
    return 0


def missing(args: argparse.Namespace, split: str, count: int) -> List[Task]:
    """Lists the portraits of a split that are not drawn yet."""
    folder = os.path.join(args.dest, split)
    tasks = [Task([args.seed, SPLITS.index(split), index], args.width, args.height,
                  f'{folder}/image/{index:05}.jpg',
                  f'{folder}/mask/{index:05}.png') for index in range(count)]
    return [task for task in tasks
            if not (os.path.exists(task.image) and os.path.exists(task.mask))]


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
