#!/usr/bin/env python
"""Makes a checkpoint of a public MobileNetV2, for deeplab, portraitnet and modnet to start from.

    scripts/import_mobilenet.py mobilenet_v2_1.0_224.tflite CKPT --model modnet
    train.py --model modnet --init_checkpoint CKPT ...

FILE is a classification file, float32 or 8 bits. Batch norm, which such files lack, is unfolded
with the statistics of drawn portraits, or of photos of your own.
"""

import os
from typing import Optional

from mmnet import cli

with cli.starting():
    import numpy as np

    from mmnet import hparams, imagenet
    from mmnet.data.pairs import find_photos
    from mmnet.data.pixels import load_pixels
    from mmnet.datasets import synthetic
    from mmnet.errors import UserError


def main() -> None:
    parser = cli.Parser(__doc__)
    parser.add_argument('file', help='a .tflite file, or an .npz file of slim\'s variables')
    parser.add_argument('checkpoint', help='the checkpoint to write')
    parser.add_argument('--model', choices=sorted(imagenet.INPUTS), default='deeplab',
                        help='the network that will start from it')
    parser.add_argument('--photos', help='a folder of photos to measure statistics on; by default, '
                        'portraits are drawn')
    parser.add_argument('--count', type=cli.positive(int), default=64, help='photos to measure on')
    parser.add_argument('--force', action='store_true', help='replace the checkpoint')
    args = parser.parse_args()
    if os.path.exists(args.checkpoint + '.index') and not args.force:
        raise UserError(f'{args.checkpoint}: exists already; pass --force to replace it')
    convolutions = imagenet.read(args.file)
    size = hparams.defaults_of(args.model)['image_size']
    photos = read_photos(args.photos, args.count, size)
    try:
        width = imagenet.write_checkpoint(convolutions, args.model, photos, args.checkpoint)
    except UserError as error:
        raise UserError(f'{args.file}: {error}')
    print(f'{args.checkpoint}: MobileNetV2 {width:g} for --model {args.model} --init_checkpoint')


def read_photos(folder: Optional[str], count: int, size: int) -> np.ndarray:
    """Reads photos of a folder, or draws portraits: uint8 `[N, S, S, 3]`."""
    if folder:
        return load_pixels(find_photos(folder, flag='--photos')[:count], size)[..., :3]
    return synthetic.draw_photos(count, size)


if __name__ == '__main__':
    cli.run(main)
