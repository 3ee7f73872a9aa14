#!/usr/bin/env python
"""Makes clips with exact mattes of a data set's people, to measure how steady a network is.

Each person moves in front of a moving background; the light changes, and a hand holds the camera.
Frames go to DEST/<clip>/{image,mask}. The same command resumes an interrupted run.
"""

import argparse
import functools
import os
import zlib
from multiprocessing.pool import ThreadPool
from typing import Optional

from mmnet import cli

with cli.starting():
    import cv2
    import numpy as np
    from tqdm import tqdm

    from mmnet import files
    from mmnet.data.pairs import Pair, find_pairs, report_problems
    from mmnet.datasets import clips
    from mmnet.datasets.scenes import DRAWN, PAIRS, find_sources, load_scenes
    from mmnet.datasets.scenery import draw_background
    from mmnet.errors import UserError

MADE_WITH = 'clips.json'
# Side of a background that is read from a folder, in pixels.
SCENE_SIZE = 512


def main() -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument('dataset', help='holds <split>/image and <split>/mask')
    parser.add_argument('dest', help='the folder to make; evaluate.py --clips takes it as '
                        '--dataset_path')
    parser.add_argument('--split', default='test', help='folder of the split')
    parser.add_argument('--clips', type=cli.positive(int), help='people to take, evenly spread '
                        'over the split; by default all')
    parser.add_argument('--frames', type=cli.positive(int), default=48, help='of each clip')
    parser.add_argument('--backgrounds', nargs='+', default=[], help='drawn, the default, or '
                        'folders of photos without people')
    parser.add_argument('--seed', type=cli.seed, default=0, help='another seed gives other motion')
    args = parser.parse_args()
    if PAIRS in args.backgrounds:
        raise UserError('--backgrounds pairs: is for train.py; name folders of photos without '
                        'people, or drawn')
    pairs = find_pairs(args.dataset, args.split)
    sources = find_sources(args.backgrounds)
    files.reserve_directory(args.dest, MADE_WITH, {
        'dataset': os.path.abspath(args.dataset), 'split': args.split, 'seed': args.seed,
        'frames': args.frames, 'clips': args.clips,
        'backgrounds': [each if each == DRAWN else os.path.abspath(each)
                        for each in args.backgrounds]})
    count = min(args.clips or len(pairs), len(pairs))
    chosen = [pairs[place] for place in np.linspace(0, len(pairs) - 1, count).astype(int)]
    scenes = load_scenes(sources, [], SCENE_SIZE, args.seed) if args.backgrounds else None
    # Threads, because PyMatting's compiled code does not survive a fork.
    with ThreadPool(os.cpu_count()) as pool:
        work = functools.partial(make, args=args, scenes=scenes)
        problems = [problem for problem in tqdm(
            pool.imap(work, chosen), total=count, desc='making', unit=' clips', disable=None)
            if problem]
    count -= len(problems)
    report_problems(problems, count, args.dataset, skip_bad_pairs=True)
    print(f'{args.dest}: {count} clips of {args.frames} frames')
    return 0


def make(pair: Pair, args: argparse.Namespace, scenes: Optional[np.ndarray]) -> Optional[str]:
    """Writes a pair's clip if it is missing; returns what is wrong with the pair, if anything."""
    folder = os.path.join(args.dest, pair.stem)
    if os.path.isdir(folder):
        return None
    # A person's motion depends on the name, so it stays the same when others come and go.
    rng = np.random.RandomState([args.seed, zlib.crc32(os.fsencode(pair.stem))])
    try:
        person = clips.person_of(pair)
    except UserError as error:
        return str(error)
    size = person.shape[1::-1]
    scene = (draw_background(rng, *size) if scenes is None else
             cv2.resize(scenes[rng.randint(len(scenes))], size) / np.float32(255))
    clips.write_clip(folder, lambda: clips.clip_of(person, scene, rng, args.frames))
    return None


if __name__ == '__main__':
    cli.run(main)
