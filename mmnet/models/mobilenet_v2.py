"""MobileNetV2, the backbone of three networks (Sandler et al., CVPR 2018, Table 2).

Variables have the names of the public slim checkpoints, `MobilenetV2/expanded_conv_3/...`.
"""

from typing import Dict, NamedTuple, Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers


class Bottlenecks(NamedTuple):
    """A row of Table 2: expansion t, channels c, repeats n, stride s of the first block."""
    expansion: int
    channels: int
    repeats: int
    stride: int


# Batch norm's ε, in the backbone and in the networks around it. Imported weights expect it.
EPSILON = 1e-5

TABLE = [
    Bottlenecks(1, 16, 1, 1),
    Bottlenecks(6, 24, 2, 2),
    Bottlenecks(6, 32, 3, 2),
    Bottlenecks(6, 64, 4, 2),
    Bottlenecks(6, 96, 3, 1),
    Bottlenecks(6, 160, 3, 2),
    Bottlenecks(6, 320, 1, 1),
]


def mobilenet_v2(images: tf.Tensor, width_multiplier: float = 1.0, output_stride: int = 32,
                 last_convolution: bool = False,
                 expand_first: bool = False) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Builds the backbone up to its last bottleneck, or to the 1280-channel layer after it.

    The caller's arg scope sets norm, activation and initializer.

    Args:
        images: float32, `[N, H, W, 3]`.
        width_multiplier: scales the channels of every layer, the first convolution included.
        output_stride: 8, 16 or 32. Once it is reached, dilation replaces strides.
        last_convolution: adds the 1280-channel layer.
        expand_first: gives the first bottleneck a 1×1 convolution, too, although it expands
            nothing; PortraitNet's parameter count demands it.

    Returns:
        the last map, `[N, H/output_stride, W/output_stride, C]` with C = 320 × `width_multiplier`
        or 1280, and the end points by scope name, e.g. `expanded_conv_3`.
    """
    end_points: Dict[str, tf.Tensor] = {}
    with tf.variable_scope('MobilenetV2'):
        net = slim.conv2d(images, round_channels(32, width_multiplier), 3, stride=2, scope='Conv')
        end_points['Conv'] = net
        reached, rate = 2, 1
        for row in TABLE:
            for repeat in range(row.repeats):
                stride = row.stride if repeat == 0 else 1
                dilate = stride > 1 and reached == output_stride
                index = len(end_points) - 1
                scope = f'expanded_conv_{index}' if index else 'expanded_conv'
                net = bottleneck(net, row.expansion, round_channels(row.channels, width_multiplier),
                                 1 if dilate else stride, rate, scope,
                                 expand=row.expansion > 1 or expand_first)
                # A block that gives up its stride still reads an undilated map. Only the blocks
                # after it are dilated.
                if dilate:
                    rate *= stride
                else:
                    reached *= stride
                end_points[scope] = net
        if last_convolution:
            # Section 6.1 of its paper: a multiplier below 1 leaves this layer as it is.
            channels = round_channels(1280, max(1.0, width_multiplier))
            net = end_points['Conv_1'] = slim.conv2d(net, channels, 1, scope='Conv_1')
    return net, end_points


def round_channels(channels: int, width_multiplier: float) -> int:
    """Rounds to the nearest multiple of 8, at least 8 and at least 90 % of the exact value."""
    wanted = channels * width_multiplier
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def bottleneck(net: tf.Tensor, expansion: int, channels: int, stride: int, rate: int,
               scope: str, expand: bool) -> tf.Tensor:
    """Builds an inverted residual with a linear bottleneck (Table 1 of its paper).

    Args:
        net: `[N, H, W, C]`.
        expansion: the block works on `expansion` × C channels.
        channels: of the output.
        stride: 1 or 2, of the depthwise convolution.
        rate: dilation rate of the depthwise convolution.
        scope: name of the block.
        expand: whether the block has the 1×1 convolution that expands.

    Returns:
        `[N, H/stride, W/stride, channels]`.
    """
    shortcut = net
    with tf.variable_scope(scope):
        if expand:
            net = slim.conv2d(net, shortcut.shape[3].value * expansion, 1, scope='expand')
        net = layers.depthwise_conv(net, stride=stride, rate=rate, scope='depthwise')
        net = slim.conv2d(net, channels, 1, activation_fn=None, scope='project')
        if stride == 1 and shortcut.shape[3].value == channels:
            net += shortcut
    return net
