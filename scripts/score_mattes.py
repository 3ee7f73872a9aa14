#!/usr/bin/env python
"""Scores mattes from any program against the ground truth, by several papers' conventions.

Both folders hold pictures of the same names; a prediction may also be called NAME_alpha, as
matte.py writes it. With --video, both hold a folder for each clip, with its frames or, as
make_clips.py writes them, with a folder `mask`.
"""

import os
from typing import Any, Dict, List, Optional, Tuple

from mmnet import cli

with cli.starting():
    import numpy as np
    from tqdm import tqdm

    from mmnet import files, scores
    from mmnet.data import decode, pairs
    from mmnet.errors import UserError

# matte.py writes the alpha of NAME to NAME_alpha.png.
ENDING = '_alpha'

# A prediction and its truth.
Mattes = Tuple[str, str]


def main() -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument('predictions', help='folder of the mattes to score')
    parser.add_argument('truth', help='folder of the true mattes')
    parser.add_argument('--video', action='store_true', help='score clips, by dtSSD, too')
    parser.add_argument('--band', type=cli.positive(float), default=scores.BAND,
                        help='radius of the transition band in pixels')
    cli.add_json_flag(parser)
    args = parser.parse_args()
    clips = (find_clips(args.predictions, args.truth) if args.video else
             {args.predictions: match(args.predictions, args.truth)})
    with tqdm(total=sum(map(len, clips.values())), desc='scoring', unit=' mattes', leave=False,
              disable=None) as progress:
        measured = {name: score(mattes, args, progress) for name, mattes in clips.items()}
    report: Dict[str, Any] = scores.mean_scores(measured.values())
    conventions = scores.conventions(report, args.band)
    count = sum(map(len, clips.values()))
    if args.json:
        written = {**report, 'images': count, 'conventions': conventions}
        if args.video:
            written['clips'] = measured
        files.write_json(written, args.json)
    for name, text in conventions.items():
        print(f'{name:14}  {"–" if report[name] is None else format(report[name], ".6g"):>10}  '
              f'{text}')
    print(f'{count} mattes' + (f' in {len(clips)} clips' if args.video else ''))
    return 0


def find_clips(predictions: str, truth: str) -> Dict[str, List[Mattes]]:
    """Matches the frames of all clips, by the clips' names."""
    names, names_gt = ({name for name in listed(folder)
                        if os.path.isdir(os.path.join(folder, name))}
                       for folder in (predictions, truth))
    for name in sorted(names ^ names_gt):
        where, there = (predictions, truth) if name in names else (truth, predictions)
        raise UserError(f'{os.path.join(where, name)}: this clip is missing in {there}; '
                        f'add it there, or remove it here')
    if not names:
        raise UserError(f'{truth}: holds no folders of frames; leave out --video for pictures')
    return {name: match(frames_of(os.path.join(predictions, name)),
                        frames_of(os.path.join(truth, name))) for name in sorted(names)}


def frames_of(clip: str) -> str:
    """Returns the folder that holds a clip's mattes: `mask` in it, or the clip's own."""
    masks = os.path.join(clip, 'mask')
    return masks if os.path.isdir(masks) else clip


def match(predictions: str, truth: str) -> List[Mattes]:
    """Finds the prediction of every true matte, in the order of their numbers.

    Raises:
        UserError: names a matte without its counterpart, or with two.
    """
    found, found_gt = by_stem(predictions), by_stem(truth)
    for stem in [stem for stem in found if stem.endswith(ENDING) and stem not in found_gt]:
        plain = stem[:-len(ENDING)]
        if plain in found:
            raise UserError(f'{found[plain]} and {found[stem]}: two predictions; remove one')
        found[plain] = found.pop(stem)
    for stem in sorted(set(found) - set(found_gt)):
        raise UserError(f'{found[stem]}: has no true matte in {truth}; remove it, or add its truth')
    for stem in sorted(set(found_gt) - set(found)):
        raise UserError(f'{found_gt[stem]}: has no prediction in {predictions}; add it, or remove '
                        f'the truth')
    if not found:
        raise UserError(f'{truth}: holds no pictures ({", ".join(pairs.EXTENSIONS)})')
    return [(found[stem], found_gt[stem]) for stem in sorted(found, key=pairs.frame_order)]


def by_stem(folder: str) -> Dict[str, str]:
    """Returns the pictures in a folder by their stems."""
    found: Dict[str, str] = {}
    for name in filter(pairs.is_picture, listed(folder)):
        stem = os.path.splitext(name)[0]
        if stem in found:
            raise UserError(f'{found[stem]} and {name}: pictures with the same stem; rename or '
                            f'remove one')
        found[stem] = os.path.join(folder, name)
    return found


def listed(folder: str) -> List[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise UserError(f'{folder}: cannot be read as a folder ({error.strerror})')


def score(mattes: List[Mattes], args, progress) -> Dict[str, Any]:
    """Scores pictures, or the frames of a clip; returns means by name."""
    rows: List[Dict[str, float]] = []
    before: Optional[np.ndarray] = None
    for paths in mattes:
        alpha, alpha_gt = read(*paths)
        rows.append(scores.scores(alpha, alpha_gt, args.band))
        if args.video:
            error = alpha - alpha_gt
            if before is not None and before.shape != error.shape:
                raise UserError(f'{paths[1]}: its size differs from the clip\'s first frame')
            rows[-1]['dtssd'] = scores.flicker(error, before)
            before = error
        progress.update()
    return scores.mean_scores(rows)


def read(path: str, path_gt: str) -> Tuple[np.ndarray, np.ndarray]:
    """Reads a matte and its truth, in [0, 1]; raises UserError if they do not belong together."""
    alpha = decode.checked(decode.read_alpha, path) / 255
    alpha_gt = decode.checked(decode.read_mask, path_gt) / 255
    if alpha.shape != alpha_gt.shape:
        raise UserError(f'{path}: has {alpha.shape[1]}×{alpha.shape[0]} pixels, its truth '
                        f'{path_gt} has {alpha_gt.shape[1]}×{alpha_gt.shape[0]}; resize one to the '
                        f'other\'s size')
    if min(alpha.shape) < pairs.SMALLEST_MASK:
        raise UserError(f'{path}: is too small to be measured; both sides need at least '
                        f'{pairs.SMALLEST_MASK} pixels')
    return alpha, alpha_gt


if __name__ == '__main__':
    cli.run(main)
