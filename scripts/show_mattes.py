#!/usr/bin/env python
"""Writes a picture of photos and their mattes, a row for each photo.

With one network, the columns are the photo, its ground truth if there is one, the alpha, and two
composites. The first composite has the photo's colours, the second has the person's own (F of
Equation 1). With several networks (--model A --model B), each alpha has a column, as in Figure 5.
"""

from typing import List, Optional, Sequence

from mmnet import cli

with cli.starting():
    import cv2
    import numpy as np
    from PIL import Image

    from mmnet import compositing, environments, grabcut, inference, pictures, pretrained
    from mmnet.data import decode
    from mmnet.data.pairs import find_pairs
    from mmnet.errors import UserError

ONE_NETWORK = ('alpha', 'new background', 'with own colours')
CELL = (240, 320)
HEADER = 28
EMPTY = 235
# What --dataset_path shows by default.
SPLIT, COUNT = 'test', 4


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('photo', nargs='*', help='photos without a ground truth')
    cli.add_matting_flags(parser, action='append')
    parser.add_argument('--grabcut', action='store_true', help='show GrabCut, too; the masks in '
                        'train of --dataset_path make its trimap')
    parser.add_argument('--output', required=True, help='the picture to write, .jpg or .png')
    parser.add_argument('--dataset_path', help='show photos of this dataset, too')
    parser.add_argument('--dataset_split_name', help=f'folder of the split ({SPLIT})')
    parser.add_argument('--count', type=cli.positive(int),
                        help=f'photos of the dataset, evenly spread ({COUNT})')
    parser.add_argument('--background', default='#f4efe6', help='a colour such as white or '
                        '#1f9e59, a picture\'s path, or blur for the photo\'s own')
    parser.add_argument('--force', action='store_true', help='replace the output file')
    args = parser.parse_args()
    pictures.check_output(args.output, args.force)
    if not args.dataset_path and (args.count or args.dataset_split_name or args.grabcut):
        raise UserError('--count, --dataset_split_name and --grabcut: need a data set; name one '
                        'with --dataset_path')
    shown = [(path, None) for path in args.photo]
    if args.dataset_path:
        pairs = find_pairs(args.dataset_path, args.dataset_split_name or SPLIT)
        count = min(args.count or COUNT, len(pairs))
        for index in np.linspace(0, len(pairs) - 1, count).astype(int):
            shown.append((pairs[index].image, pairs[index].mask))
    if not shown:
        raise UserError('nothing to show; name photos, or a dataset with --dataset_path')
    background = inference.parse_background(args.background)
    models = args.model or [pretrained.find(pretrained.DEFAULT)]
    runtime = environments.enter_for(models, args.runtime)
    networks = [(inference.name_of(path), inference.load(path, '--model', runtime))
                for path in models]
    if args.grabcut:
        networks.insert(0, ('GrabCut', grabcut.predictor([args.dataset_path])))
    several = len(networks) > 1
    columns = ['photo', *(['ground truth'] if args.dataset_path else []),
               *([name for name, _ in networks] if several else ONE_NETWORK)]
    rows = [header(columns)]
    for image, mask in shown:
        photo = decode.checked(decode.read_image, image)
        truth = decode.checked(decode.read_mask, mask) if mask else None
        alphas = [inference.matte(predictor, photo, args.refine) for _, predictor in networks]
        cells = [photo, *([truth] if args.dataset_path else []), *map(pictures.grey, alphas)]
        if not several:
            cells += composites(photo, alphas[0], background)
        rows.append(np.hstack([cell(pixels) for pixels in cells]))
    pictures.save(np.vstack(rows), args.output)
    print(args.output)
    return 0


def header(columns: Sequence[str]) -> np.ndarray:
    """Draws the names of the columns."""
    picture = np.full([HEADER, CELL[0] * len(columns), 3], 255, np.uint8)
    for index, name in enumerate(columns):
        (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        corner = (index * CELL[0] + (CELL[0] - width) // 2, (HEADER + height) // 2)
        cv2.putText(picture, name, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1,
                    cv2.LINE_AA)
    return picture


def composites(photo: np.ndarray, alpha: np.ndarray,
               background: inference.Background) -> List[np.ndarray]:
    """Puts the person on a new background: with the photo's colours, then with their own."""
    behind = background(photo, alpha)
    own = compositing.foreground_colours(photo, alpha)
    return [compositing.composite(photo, alpha, behind), compositing.composite(own, alpha, behind)]


def cell(pixels: Optional[np.ndarray]) -> np.ndarray:
    """Draws a picture in the middle of a cell; None leaves the cell empty."""
    if pixels is None:
        return np.full([CELL[1], CELL[0], 3], EMPTY, np.uint8)
    picture = Image.fromarray(pixels).convert('RGB')
    scale = min(CELL[0] / picture.width, CELL[1] / picture.height)
    # A photo of 3000×1 would shrink to nothing.
    size = [max(1, int(round(side * scale))) for side in picture.size]
    framed = Image.new('RGB', CELL, (EMPTY,) * 3)
    framed.paste(picture.resize(size, Image.BICUBIC),
                 ((CELL[0] - size[0]) // 2, (CELL[1] - size[1]) // 2))
    return np.asarray(framed)


if __name__ == '__main__':
    cli.run(main)
