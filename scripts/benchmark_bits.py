#!/usr/bin/env python
"""Measures a trained network's errors with its weights rounded to various numbers of bits.

    benchmark_bits.py --checkpoint_path TRAIN_DIR --dataset_path DATASET

Weights have symmetric ranges: one for a layer, or one for each output channel. All else stays in
floats, and nothing is trained after the rounding.
"""

import os
import tempfile
from typing import Optional

from mmnet import cli

with cli.starting():
    import numpy as np

    from mmnet import checkpoints, evaluation, hparams, pretrained, records
    from mmnet.data.pairs import find_sets
    from mmnet.runtime import Interpreter
    from mmnet.tflite import encode
    from mmnet.tflite.export import export
    from mmnet.tflite.layers import Layer


def rounded(layer: Layer, bits: int, per_channel: bool) -> np.ndarray:
    """Rounds the weights of a layer to the nearest of 2^bits − 1 values."""
    channels = 2 if layer.kind == 'DEPTHWISE_CONV_2D' else 3
    axes = tuple(axis for axis in range(4) if not (per_channel and axis == channels))
    limit = 2 ** (bits - 1) - 1
    step = np.maximum(np.abs(layer.weights).max(axis=axes, keepdims=True), 1e-12) / limit
    return np.round(layer.weights / step) * step


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    cli.add_data_flags(parser, split='test')
    parser.add_argument('--checkpoint_path', type=pretrained.find, required=True,
                        help='a train directory, a checkpoint, or pretrained:NAME')
    parser.add_argument('--bits', nargs='+', default=[8, 6, 5, 4],
                        type=cli.number(int, cli.Bounds(above=1, below=17)),
                        help='bits of a weight')
    args = parser.parse_args()
    checkpoint = checkpoints.resolve(args.checkpoint_path)
    trained = hparams.read_beside(checkpoint)
    exported = export(checkpoint, trained, trained.image_size, 'float32', 'logistic')
    convolutions = [layer for layer in exported.network.layers if layer.weights is not None]
    exact = [layer.weights for layer in convolutions]
    evaluator = evaluation.Evaluator(
        find_sets(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs),
        trained.image_size, batch_size=16, skip_bad_pairs=args.skip_bad_pairs)

    def measure(name: str, bits: Optional[int] = None, per_channel: bool = False) -> None:
        for layer, weights in zip(convolutions, exact):
            layer.weights = weights
            if bits:
                layer.weights = rounded(layer, bits, per_channel)
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, 'model.tflite')
            with open(path, 'wb') as file:
                file.write(encode.encode(exported.network, 'float32', name, 'float32'))
            predict = evaluation.image_by_image(Interpreter(path, 'tensorflow', True).alpha)
            record, _ = evaluator.evaluate(predict)
        print(f'{name:24}{records.paper_units(record)}', flush=True)
    measure('float')
    for bits in args.bits:
        measure(f'{bits} bits, a layer', bits)
        measure(f'{bits} bits, a channel', bits, per_channel=True)
    return 0


if __name__ == '__main__':
    cli.run(main)
