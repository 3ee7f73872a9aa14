"""MMNet: multi-branch dilated depthwise blocks with a linear bottleneck (Section 2.1, Figure 2).

`TABLE` merges the paper's Tables 1 and 6. The functions below it are the paper's blocks.
"""

import dataclasses
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers
from mmnet.settings import Settings, setting

STRIDE = 16


class Conv(NamedTuple):
    """A plain convolution with batch norm and ReLU6."""
    name: str
    kernel: int
    stride: int
    channels: int


class Encoder(NamedTuple):
    """Figure 3: dilation rates, stride, channels per branch, channels of the merge.

    Without an `activation_fn`, the merge is a linear bottleneck.
    """
    name: str
    rates: Sequence[int]
    stride: int
    branch_channels: int
    channels: int
    activation_fn: Optional[Callable] = None


class Enhancement(NamedTuple):
    """Section 2.1.3: an encoder block in the decoder, without stride."""
    name: str
    rates: Sequence[int]
    branch_channels: int
    channels: int


class Decoder(NamedTuple):
    """Figure 4 (a): channels, and the block that the skip connection comes from."""
    name: str
    channels: int
    skip: str


class Logits(NamedTuple):
    """The final block: two logits, and the factor that brings them to the input's size."""
    name: str
    upsampling: int


Row = Union[Conv, Encoder, Enhancement, Decoder, Logits]

TABLE: List[Row] = [
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
    # The auxiliary head reads this block, the only one whose merge has an activation.
    Encoder('encoder_10', [1, 2], 1, 120, 80, tf.nn.relu6),
    Decoder('decoder_1', 64, skip='encoder_5'),
    Decoder('decoder_2', 40, skip='encoder_1'),
    Enhancement('enhancement_1', [1, 2, 4], 40, 40),
    Enhancement('enhancement_2', [1, 2, 4], 40, 40),
    # The paper upsamples decoder 3's sixteen channels twice by 2 before the final 1×1 convolution.
    # Bilinear upsampling and a 1×1 convolution commute, so two logits are upsampled once instead.
    Conv('decoder_3', 1, 1, 16),
    Logits('final', upsampling=4),
]


@dataclasses.dataclass(frozen=True)
class MMNetSettings(Settings):
    """The width multiplier, the ablations of Table 4, and batch norm's decay.

    An ablation's help describes its flag, such as `--no_dilation`, which turns the setting off.
    """
    width_multiplier: float = setting(
        1.0, 'scales the channels of every layer but the logits', above=0)
    dilation: bool = setting(True, 'sets every dilation rate to 1 (Table 4, "no dilation")')
    enhancement: bool = setting(True, 'leaves the enhancement blocks out (Table 4)')
    refinement: bool = setting(
        True, 'leaves the refinement blocks out of the skip connections (Table 4)')
    batch_norm_decay: float = layers.batch_norm_decay(0.999)


def mmnet(images: tf.Tensor, is_training: bool,
          settings: MMNetSettings) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Builds MMNet.

    Args:
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W are multiples of 16.
        is_training: whether batch norm uses the batch's statistics.
        settings: width and ablations.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by block name.
        `aux_logits` `[N, H/16, W/16, 2]` belong to the auxiliary loss. Evaluation keeps that head
        so that its loss can be watched; an export drops it.
    """
    def scaled(channels: int) -> int:
        return round_channels(channels, settings.width_multiplier)

    def rates(row: Union[Encoder, Enhancement]) -> Sequence[int]:
        return row.rates if settings.dilation else [1] * len(row.rates)

    end_points: Dict[str, tf.Tensor] = {}
    with tf.variable_scope('MMNet'), slim.arg_scope(layers.batch_norm_scope(
            is_training, settings.batch_norm_decay, epsilon=1e-3, activation_fn=tf.nn.relu6,
            weights_initializer=slim.xavier_initializer())):
        net = images
        for row in TABLE:
            if isinstance(row, Conv):
                net = slim.conv2d(net, scaled(row.channels), row.kernel, stride=row.stride,
                                  scope=row.name)
            elif isinstance(row, Encoder):
                net = encoder_block(net, rates(row), row.stride, scaled(row.branch_channels),
                                    scaled(row.channels), row.activation_fn, row.name)
            elif isinstance(row, Decoder):
                net = decoder_block(net, end_points[row.skip], scaled(row.channels),
                                    settings.refinement, row.name)
            elif isinstance(row, Enhancement):
                if not settings.enhancement:
                    continue
                net = encoder_block(net, rates(row), 1, scaled(row.branch_channels),
                                    scaled(row.channels), None, row.name)
            else:
                net = layers.upsample(layers.logits_conv(net, row.name), row.upsampling)
            end_points[row.name] = net
        end_points['aux_logits'] = layers.logits_conv(end_points['encoder_10'], 'aux')
    return net, end_points


def round_channels(channels: int, width_multiplier: float) -> int:
    """Rounds `channels * width_multiplier`, then to the nearest multiple of 8, at least 8."""
    return max(8, (int(round(channels * width_multiplier)) + 4) // 8 * 8)


def encoder_block(net: tf.Tensor, rates: Sequence[int], stride: int, branch_channels: int,
                  channels: int, activation_fn: Optional[Callable], scope: str) -> tf.Tensor:
    """Builds a multi-branch dilated block with a linear bottleneck (Section 2.1.1, Figure 3).

    Each branch is a 1×1 expansion and a 3×3 depthwise convolution of its own dilation rate. In a
    strided block, a 3×3 depthwise convolution of stride 2 stands between the two. All branches read
    the same input, so their expansions (and strided convolutions) run as one wide layer.

    Args:
        net: `[N, H, W, C]`.
        rates: dilation rate of each branch.
        stride: 1 or 2.
        branch_channels: channels of each branch.
        channels: channels of the merge.
        activation_fn: of the merge; None for a linear bottleneck.
        scope: name of the block.

    Returns:
        `[N, H/stride, W/stride, channels]`.
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
    """Builds a 1×1 convolution, ×2 upsampling and the skip beside it (2.1.2, Figure 4 a).

    Args:
        net: `[N, H, W, C]`.
        skip: the encoder's map, `[N, 2H, 2W, C']`.
        channels: of the upsampled map, and of the refined skip.
        refinement: whether the skip goes through a refinement block.
        scope: of the variables.

    Returns:
        both, concatenated: `[N, 2H, 2W, channels + C']`, where refinement makes C' `channels`.
    """
    with tf.variable_scope(scope):
        net = layers.upsample(slim.conv2d(net, channels, 1, scope='conv'))
        if refinement:
            skip = refinement_block(skip, channels)
        return tf.concat([net, skip], axis=3)


def refinement_block(skip: tf.Tensor, channels: int) -> tf.Tensor:
    """Builds a 3×3 depthwise separable convolution on a skip `[N, H, W, C]` (Figure 4 b)."""
    skip = layers.depthwise_conv(skip, scope='refine_depthwise')
    return slim.conv2d(skip, channels, 1, scope='refine')
