#!/usr/bin/env python
"""Draws a dataset of portraits with exact alpha mattes, to try everything without photos.

The same seed draws the same portraits; running it again goes on where it was interrupted.
"""

import argparse
import os
import signal
import sys
from multiprocessing import Pool
from typing import List, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from mmnet import files, flags  # noqa: E402  (needs the path above)
from mmnet.data.synthetic import draw_portrait  # noqa: E402
from mmnet.errors import UserError  # noqa: E402

SETTINGS = 'synthetic.json'
# Part of a portrait's seed: a test portrait is none of the training's, however many there are.
SPLITS = ('train', 'test')


class Task(NamedTuple):
    """A portrait to draw: the seed of its random numbers, its size, its files."""
    seed: List[int]
    width: int
    height: int
    image: str
    mask: str


def main() -> int:
    parser = flags.Parser(__doc__.split('\n')[0])
    parser.add_argument('dest', help='the folder to make; train.py takes it as --dataset_path')
    parser.add_argument('--train', type=flags.positive(int), default=1000,
                        help='portraits to train on')
    parser.add_argument('--test', type=flags.positive(int), default=100,
                        help='portraits to measure on')
    parser.add_argument('--width', type=flags.positive(int), default=192, help='in pixels')
    parser.add_argument('--height', type=flags.positive(int), default=256, help='in pixels')
    parser.add_argument('--seed', type=flags.not_negative(int), default=0,
                        help='another one draws other portraits')
    args = parser.parse_args()
    if min(args.width, args.height) < 32:
        raise UserError('--width {} --height {}: too small for a portrait; at least 32'.format(
            args.width, args.height))
    files.claim(args.dest, SETTINGS, {'width': args.width, 'height': args.height,
                                      'seed': args.seed})
    for split in SPLITS:
        for kind in ('image', 'mask'):
            files.make_directory(os.path.join(args.dest, split, kind))
    for split, count in zip(SPLITS, (args.train, args.test)):
        there = len(os.listdir(os.path.join(args.dest, split, 'image')))
        if there > count:
            raise UserError('--{} {}: {} holds {} already; choose another folder or as many'.format(
                split, count, args.dest, there))
    tasks = [task for split, count in zip(SPLITS, (args.train, args.test))
             for task in missing(args, split, count)]
    # Ctrl-C is for this process, which ends the others.
    with Pool(initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        for _ in tqdm(pool.imap_unordered(draw, tasks, chunksize=4), total=len(tasks),
                      desc='drawing', unit=' portraits', disable=not sys.stderr.isatty()):
            pass
    print(f'{args.dest}: {args.train} portraits to train on, {args.test} to measure on')
    return 0


def missing(args: argparse.Namespace, split: str, count: int) -> List[Task]:
    """The portraits of a split that are not drawn yet."""
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
    flags.run(main)
