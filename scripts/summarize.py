#!/usr/bin/env python
"""Prints a network block by block, as Table 1 does: output size, parameters, multiply-adds."""

import os
import re
import sys
from collections import OrderedDict
from typing import Dict, List, Set

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from mmnet import flags, hparams, models  # noqa: E402  (needs the path above)
from mmnet.tflite.layers import Layer, Network  # noqa: E402
from mmnet.tflite.trace import trace  # noqa: E402

import tensorflow as tf  # noqa: E402
from tensorflow.contrib import slim  # noqa: E402


def main() -> int:
    parser = flags.Parser(__doc__.split('\n')[0])
    parser.add_argument('model', help=', '.join(models.NETWORKS))
    flags.add_network_flags(parser)
    args = parser.parse_args()
    described = hparams.network_of(args)
    size, network = described['image_size'], described['network']
    images = tf.placeholder(tf.float32, [1, size, size, 3])
    logits, _ = models.build(args.model, images, is_training=False, **network)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        traced = trace(session, images, logits)

    print('{}, {}×{}, {}'.format(args.model, size, size, ', '.join(
        '{} {}'.format(*item) for item in sorted(network.items()))))
    row = '{:<18} {:<30} {:>14} {:>12} {:>15}'.format
    print(row('block', 'convolutions', 'output size', 'parameters', 'multiply-adds'))
    parameters = count_parameters()
    for name, members in group(traced, set(parameters)).items():
        print(row(name, details(members), '×'.join(map(str, members[-1].outputs[0].shape[1:])),
                  f'{parameters.pop(name):,}',
                  f'{sum(map(multiply_adds, members)):,}'))
    for name, count in parameters.items():
        print(row(name, 'in training only', '', f'{count:,}', '').rstrip())
    print(row('total', '', '', f'{models.graph_parameters():,}',
              f'{sum(map(multiply_adds, traced.layers)):,}'))
    print('parameters include batch norm\'s moving statistics, as in Table 3; {:,} of them are '
          'trained'.format(sum(variable.shape.num_elements()
                               for variable in tf.trainable_variables())))
    return 0


def group(network: Network, blocks: Set[str]) -> Dict[str, List[Layer]]:
    """The layers by block.

    A layer in none, such as a pooling, goes with the block that reads it; the upsampling at the
    end goes with the block before it.
    """
    names: Dict[Layer, str] = {}
    for layer in reversed(network.layers):
        scopes = layer.outputs[0].name.split('/')
        readers = [reader for value in layer.outputs for reader in network.consumers(value)]
        if not blocks.isdisjoint(scopes):
            names[layer] = next(scope for scope in scopes if scope in blocks)
        elif readers:
            names[layer] = names[readers[0]]
    grouped: Dict[str, List[Layer]] = OrderedDict()
    for layer in network.layers:
        name = names.get(layer) or next(reversed(grouped))
        grouped.setdefault(name, []).append(layer)
    return OrderedDict(sorted(grouped.items(), key=lambda item: network.layers.index(item[1][-1])))


def details(layers: List[Layer]) -> str:
    """What a block's convolutions are: kernel sizes, dilation rates, stride."""
    convolutions = [layer for layer in layers if layer.weights is not None]
    kernels = sorted({layer.weights.shape[0] for layer in convolutions})
    rates = sorted({layer.dilation for layer in convolutions})
    parts = [', '.join(f'{kernel}×{kernel}' for kernel in kernels)]
    if rates != [1]:
        parts.append(f'DR {rates}')
    stride = max(layer.stride for layer in convolutions) if convolutions else 1
    return ', '.join(parts + [f'S{stride}'] * (stride > 1))


def multiply_adds(layer: Layer) -> int:
    """The multiplications of a convolution, each with its addition; those of others are few."""
    if layer.weights is None:
        return 0
    # Each pixel that a transposed convolution reads meets all weights, not each that it writes.
    value = layer.inputs[0] if layer.kind == 'TRANSPOSE_CONV' else layer.output
    height, width = value.shape[1:3]
    return height * width * layer.weights.size


def count_parameters() -> Dict[str, int]:
    """The values in the model's variables, by block: the scope inside that of the whole network."""
    counts: Dict[str, int] = OrderedDict()
    for variable in slim.get_model_variables():
        scopes = re.sub(r'/(weights|depthwise_weights|biases|BatchNorm/\w+)$', '',
                        variable.op.name).split('/')
        name = scopes[min(1, len(scopes) - 1)]
        counts[name] = counts.get(name, 0) + variable.shape.num_elements()
    return counts


if __name__ == '__main__':
    flags.run(main)
