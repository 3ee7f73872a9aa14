#!/usr/bin/env python
"""Prints a network block by block, as Table 1 does: output size, parameters, multiply-adds."""

import dataclasses
import re
from typing import Dict, List, Set

from mmnet import cli

with cli.starting():
    import tensorflow as tf
    from tensorflow.contrib import slim

    from mmnet import flags, models
    from mmnet.errors import UserError
    from mmnet.tflite.layers import Layer, LayerGraph
    from mmnet.tflite.trace import trace


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('model', help=', '.join(models.NETWORKS))
    flags.add_network_flags(parser)
    args = parser.parse_args()
    run = flags.network_hparams(args)
    size = run.image_size
    images = tf.placeholder(tf.float32, [1, size, size, run.channels])
    logits, _ = models.build(run.model, images, is_training=False,
                             **dataclasses.asdict(run.network))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        try:
            traced = trace(session, images, logits)
        except ValueError as error:
            raise UserError(f'{run.model}: {error}')

    shown = run.to_json()['network']
    print(f'{run.model}, {size}×{size}, ' +
          ', '.join(f'{name} {value}' for name, value in sorted(shown.items())))
    row = '{:<18} {:<30} {:>14} {:>12} {:>15}'.format
    print(row('block', 'convolutions', 'output size', 'parameters', 'multiply-adds'))
    parameters = parameters_by_block()
    for name, members in group(traced, set(parameters)).items():
        print(row(name, details(members), '×'.join(map(str, members[-1].outputs[0].shape[1:])),
                  f'{parameters.pop(name):,}', f'{sum(map(multiply_adds, members)):,}'))
    for name, count in parameters.items():
        print(row(name, 'in training only', '', f'{count:,}', '').rstrip())
    print(row('total', '', '', f'{models.graph_parameters():,}',
              f'{sum(map(multiply_adds, traced.layers)):,}'))
    trained = sum(variable.shape.num_elements() for variable in tf.trainable_variables())
    print(f'parameters include batch norm\'s moving statistics, as in Table 3; {trained:,} of them '
          f'are trained')
    return 0


def group(network: LayerGraph, blocks: Set[str]) -> Dict[str, List[Layer]]:
    """Groups the layers by block.

    A layer outside all blocks, such as a pooling, joins the block that reads it. The upsampling at
    the end joins the block before it.
    """
    names: Dict[Layer, str] = {}
    for layer in reversed(network.layers):
        scopes = layer.outputs[0].name.split('/')
        readers = [reader for value in layer.outputs for reader in network.consumers(value)]
        if not blocks.isdisjoint(scopes):
            names[layer] = next(scope for scope in scopes if scope in blocks)
        elif readers:
            names[layer] = names[readers[0]]
    grouped: Dict[str, List[Layer]] = {}
    for layer in network.layers:
        name = names.get(layer) or list(grouped)[-1]
        grouped.setdefault(name, []).append(layer)
    return dict(sorted(grouped.items(), key=lambda item: network.layers.index(item[1][-1])))


def details(layers: List[Layer]) -> str:
    """Describes a block's convolutions: kernel sizes, dilation rates, stride."""
    convolutions = [layer for layer in layers if layer.weights is not None]
    kernels = sorted({layer.weights.shape[0] for layer in convolutions})
    rates = sorted({layer.dilation for layer in convolutions})
    parts = [', '.join(f'{kernel}×{kernel}' for kernel in kernels)]
    if rates != [1]:
        parts.append(f'DR {rates}')
    stride = max(layer.stride for layer in convolutions) if convolutions else 1
    return ', '.join(parts + [f'S{stride}'] * (stride > 1))


def multiply_adds(layer: Layer) -> int:
    """Counts the multiplications of a convolution, each with its addition; others have few."""
    if layer.weights is None:
        return 0
    # In a transposed convolution, each pixel that is read meets all weights, not each written one.
    value = layer.inputs[0] if layer.kind == 'TRANSPOSE_CONV' else layer.output
    height, width = value.shape[1:3]
    return height * width * layer.weights.size


def parameters_by_block() -> Dict[str, int]:
    """Counts the values of the model's variables by block, the scope below the network's."""
    counts: Dict[str, int] = {}
    for variable in slim.get_model_variables():
        scopes = re.sub(r'/(weights|depthwise_weights|biases|BatchNorm/\w+)$', '',
                        variable.op.name).split('/')
        name = scopes[min(1, len(scopes) - 1)]
        counts[name] = counts.get(name, 0) + variable.shape.num_elements()
    return counts


if __name__ == '__main__':
    cli.run(main)
