#!/usr/bin/env python
"""Writes a strip of a clip's frames: photo, ground truth, and each network's mattes and errors.

    show_clip.py CLIP --model plain.tflite --model memory.tflite --steady --output strip.png

CLIP holds the folders image and mask. Errors are red where the alpha is too large and blue where it
is too small. --steady adds the first network's mattes, steadied as matte.py --steady does.
"""

import os
from typing import List, Tuple

from mmnet import cli

with cli.starting():
    import cv2
    import numpy as np

    from mmnet import environments, inference, pictures, pretrained, steady
    from mmnet.data import decode
    from mmnet.data.pairs import Pair, find_pairs, frame_order
    from mmnet.errors import UserError
    from mmnet.runtime import following

MARGIN = 24


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('clip', help='a folder that holds image and mask')
    cli.add_matting_flags(parser, action='append')
    parser.add_argument('--steady', action='store_true',
                        help='show the first network steadied, too')
    parser.add_argument('--output', required=True, help='the picture to write, .jpg or .png')
    parser.add_argument('--first', type=cli.not_negative(int), default=0,
                        help='frame to begin with')
    parser.add_argument('--frames', type=cli.positive(int), default=8, help='frames to show')
    parser.add_argument('--height', type=cli.positive(int), default=160,
                        help='of a frame, in pixels')
    parser.add_argument('--force', action='store_true', help='replace the output file')
    args = parser.parse_args()
    pictures.check_output(args.output, args.force)
    folder, name = os.path.split(os.path.abspath(args.clip))
    if not os.path.isdir(os.path.join(args.clip, 'image')):
        raise UserError(f'{args.clip}: is not a clip; name a folder that holds image and mask')
    pairs = sorted(find_pairs(folder, name), key=lambda pair: frame_order(pair.stem))
    last = args.first + args.frames
    if last > len(pairs):
        raise UserError(f'--frames {args.frames}: the clip has {len(pairs)} frames; choose fewer, '
                        f'or a smaller --first')
    models = args.model or [pretrained.find(pretrained.DEFAULT)]
    runtime = environments.enter_for(models, args.runtime)
    networks = [inference.load(path, '--model', runtime) for path in models]
    mattes = [(inference.name_of(path), following(network))
              for path, network in zip(models, networks)]
    if args.steady:
        mattes.append((mattes[0][0] + ', steady', steady.steadied(following(networks[0]))))
    frames = [read(pair) for pair in pairs[:last]]
    photos, truths = [photo for photo, _ in frames], [truth for _, truth in frames]
    rows = [row('photo', photos[args.first:], args.height),
            row('ground truth', [shown(truth) for truth in truths[args.first:]], args.height)]
    for title, predictor in mattes:
        # From the first frame on: a network may remember.
        alphas = [inference.matte(predictor, photo, args.refine) for photo in photos][args.first:]
        rows.append(row(title, [shown(alpha) for alpha in alphas], args.height))
        rows.append(row(f'{title}, error', [
            error(alpha, truth) for alpha, truth in zip(alphas, truths[args.first:])], args.height))
    pictures.save(np.vstack(rows), args.output)
    print(args.output)
    return 0


def read(pair: Pair) -> Tuple[np.ndarray, np.ndarray]:
    """Reads a frame, uint8 RGB `[H, W, 3]`, and its alpha in [0, 1], as large as the frame.

    Raises:
        UserError: if one of them cannot be decoded.
    """
    photo = decode.checked(decode.read_image, pair.image)
    truth = decode.checked(decode.read_mask, pair.mask or '')
    return photo, cv2.resize(truth, photo.shape[1::-1]) / np.float32(255)


def shown(alpha: np.ndarray) -> np.ndarray:
    """Shows an alpha in [0, 1], uint8 `[H, W, 3]`."""
    return cv2.cvtColor(pictures.grey(alpha), cv2.COLOR_GRAY2RGB)


def error(alpha: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Shows α − α_gt, uint8 `[H, W, 3]`: white is 0, red 1 and blue −1."""
    difference = alpha - truth
    red, green, blue = 1 + np.minimum(difference, 0), 1 - abs(difference), 1 - np.maximum(
        difference, 0)
    return np.round(255 * np.dstack([red, green, blue])).astype(np.uint8)


def row(title: str, images: List[np.ndarray], height: int) -> np.ndarray:
    """Draws a title, and below it images side by side."""
    cells = [cv2.resize(image, (max(1, round(image.shape[1] * height / image.shape[0])), height),
                        interpolation=cv2.INTER_AREA) for image in images]
    strip = np.hstack(cells)
    head = np.full([MARGIN, strip.shape[1], 3], 255, np.uint8)
    cv2.putText(head, title, (4, MARGIN - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1,
                cv2.LINE_AA)
    return np.vstack([head, strip])


if __name__ == '__main__':
    cli.run(main)
