"""MMNet: multi-branch dilated depthwise blocks with a linear bottleneck (Sections 2.1, Figure 2).

`TABLE` is the paper's Tables 1 and 6 in one; the functions below it are its blocks.
"""

from collections import OrderedDict
from typing import NamedTuple, Optional, Sequence, Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers

STRIDE = 16


class Conv(NamedTuple):
    """A plain convolution with batch norm and ReLU6."""
    name: str
    kernel: int
    stride: int
    channels: int


class Encoder(NamedTuple):
    """Figure 3: dilation rates, stride, channels of a branch, channels of the bottleneck."""
    name: str
    rates: Sequence[int]
    stride: int
    branch_channels: int
    channels: int


class Enhancement(Encoder):
    """Section 2.1.3: an encoder block in the decoder, never strided."""


class Decoder(NamedTuple):
    """Figure 4 (a): channels, and where there is a skip the block it comes from."""
    name: str
    channels: int
    skip: str


class Logits(NamedTuple):
    """The two logits, still at a quarter of the input's size, and the factor that is left."""
    name: str
    upsampling: int


TABLE = [
    Conv('initial', 3, 2, 32),
    Encoder('encoder_1', [1, 2, 4, 8], 2, 16, 16),
    Encoder('encoder_2', [1, 2, 4, 8], 1, 16, 24),
    Encoder('encoder_3', [1, 2, 4, 8], 1, 24, 24),
    Encoder('encoder_4', [1, 2, 4, 8], 1, 24, 24),
    Encoder('encoder_5', [1, 2, 4], 2, 32, 40),
    Encoder('encoder_6', [1, 2, 4], 1, 64, 40),
    Encoder('encoder_7', [1, 2, 4], 1, 64, 40),
    Encoder('encoder_8', [1, 2, 4], 1, 64, 40),
    Encoder('encoder_9', [1, 2], 2, 80, 80),
    Encoder('encoder_10', [1, 2], 1, 120, 80),
    Decoder('decoder_1', 64, skip='encoder_5'),
    Decoder('decoder_2', 40, skip='encoder_1'),
    Enhancement('enhancement_1', [1, 2, 4], 1, 40, 40),
    Enhancement('enhancement_2', [1, 2, 4], 1, 40, 40),
    # The paper upsamples decoder 3's sixteen channels twice by 2, then takes the 1×1 convolution of
    # the final block. All of it is linear: two channels, upsampled once by 4, are exactly the same.
    Conv('decoder_3', 1, 1, 16),
    Logits('final', upsampling=4),
]


def mmnet(images: tf.Tensor, is_training: bool, width_multiplier: float = 1.0,
          dilation: bool = True, enhancement: bool = True, refinement: bool = True,
          batch_norm_decay: float = 0.999) -> Tuple[tf.Tensor, OrderedDict]:
    """Builds MMNet.

    Args:
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W multiples of 16.
        is_training: whether batch norm uses the batch's statistics.
        width_multiplier: scales the channels of every layer but the logits.
        dilation: False sets every dilation rate to 1 (Table 4, "no dilation").
        enhancement: False leaves the enhancement blocks out (Table 4).
        refinement: False passes the skips on as they are (Table 4).
        batch_norm_decay: of the moving statistics; smaller for runs of few steps.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by block name;
        `aux_logits` `[N, H/16, W/16, 2]` belong to the auxiliary loss. The head stays in the
        evaluation graph, so that its loss can be watched; an export drops it.

    Raises:
        ValueError: for a size that is no multiple of 16.
    """
    layers.check_size(images, STRIDE)
    end_points = OrderedDict()
    with tf.variable_scope('MMNet'), slim.arg_scope(layers.batch_norm_scope(
            is_training, batch_norm_decay, epsilon=1e-3, activation_fn=tf.nn.relu6,
            weights_initializer=slim.xavier_initializer())):
        net = images
        for row in TABLE:
            if isinstance(row, Conv):
                net = slim.conv2d(net, round_channels(row.channels, width_multiplier), row.kernel,
                                  stride=row.stride, scope=row.name)
            elif isinstance(row, Enhancement) and not enhancement:
                continue
            elif isinstance(row, Encoder):
                net = encoder_block(
                    net, row.rates if dilation else [1] * len(row.rates), row.stride,
                    round_channels(row.branch_channels, width_multiplier),
                    round_channels(row.channels, width_multiplier), scope=row.name,
                    # The auxiliary head reads encoder 10, the one block with an activation.
                    activation_fn=tf.nn.relu6 if row.name == 'encoder_10' else None)
            elif isinstance(row, Decoder):
                net = decoder_block(net, end_points[row.skip],
                                    round_channels(row.channels, width_multiplier), refinement,
                                    scope=row.name)
            else:
                net = layers.upsample(layers.logits_conv(net, row.name), row.upsampling)
            end_points[row.name] = net
        end_points['aux_logits'] = layers.logits_conv(end_points['encoder_10'], 'aux')
    return net, end_points


def round_channels(channels: int, width_multiplier: float) -> int:
    """The nearest multiple of 8 to `round(channels * width_multiplier)`, at least 8."""
    return max(8, (int(round(channels * width_multiplier)) + 4) // 8 * 8)


def encoder_block(net: tf.Tensor, rates: Sequence[int], stride: int, branch_channels: int,
                  channels: int, activation_fn: Optional, scope: str) -> tf.Tensor:
    """Multi-branch dilated convolution with a linear bottleneck (Section 2.1.1, Figure 3).

    Every branch is a 1×1 expansion, a 3×3 depthwise convolution of stride 2 where the block has
    one, and a 3×3 depthwise convolution of the branch's dilation rate. All branches read the same
    input, so their expansions (and strided convolutions) run as one wide layer, then split.
    """
    branches = len(rates)
    with tf.variable_scope(scope):
        net = slim.conv2d(net, branch_channels * branches, 1, scope='expand',
                          weights_initializer=layers.branchwise(slim.xavier_initializer(),
                                                                branches))
        if stride > 1:
            net = layers.depthwise_conv(net, stride=stride, scope='stride')
        net = tf.concat([layers.depthwise_conv(branch, rate=rate, scope=f'branch_{i}')
                         for i, (branch, rate) in
                         enumerate(zip(tf.split(net, branches, axis=3), rates), start=1)], axis=3)
        return slim.conv2d(net, channels, 1, activation_fn=activation_fn, scope='merge')


def decoder_block(net: tf.Tensor, skip: tf.Tensor, channels: int, refinement: bool,
                  scope: str) -> tf.Tensor:
    """1×1 convolution, bilinear ×2, and the skip beside it (Section 2.1.2, Figure 4 a)."""
    with tf.variable_scope(scope):
        net = layers.upsample(slim.conv2d(net, channels, 1, scope='conv'))
        if refinement:
            skip = refinement_block(skip, channels)
        return tf.concat([net, skip], axis=3)


def refinement_block(skip: tf.Tensor, channels: int) -> tf.Tensor:
    """3×3 depthwise separable convolution on a skip connection (Figure 4 b)."""
    skip = layers.depthwise_conv(skip, scope='refine_depthwise')
    return slim.conv2d(skip, channels, 1, scope='refine')
