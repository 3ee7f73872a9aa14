"""PortraitNet (Zhang et al., Computers & Graphics 2019): MobileNetV2 and a U-shaped decoder.

`TABLE` is the decoder of its Figure 2 (a); `d_block` is its Figure 2 (b).
"""

import dataclasses
from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers
from mmnet.models.mobilenet_v2 import EPSILON, mobilenet_v2
from mmnet.settings import Settings, setting

STRIDE = 32
# Section 4.2: (pixel − mean) × 0.017. The paper prints BGR order (103.94, 116.78, 123.68).
MEAN = np.array([123.68, 116.78, 103.94], np.float32)
SCALE = np.float32(0.017)


class Up(NamedTuple):
    """A D-block, then ×2 upsampling, then the sum with an encoder block where there is a skip."""
    name: str
    channels: int
    skip: Optional[str]


TABLE = [
    Up('up_1', 96, skip='expanded_conv_12'),
    Up('up_2', 32, skip='expanded_conv_5'),
    Up('up_3', 24, skip='expanded_conv_2'),
    Up('up_4', 16, skip=None),
    Up('up_5', 8, skip=None),
]


@dataclasses.dataclass(frozen=True)
class PortraitNetSettings(Settings):
    """The boundary head, and batch norm's decay."""
    boundary_head: bool = setting(
        True, 'leaves out the head that predicts the boundary (PortraitNet-M and -C)')
    batch_norm_decay: float = layers.batch_norm_decay(0.9)


def portraitnet(images: tf.Tensor, is_training: bool,
                settings: PortraitNetSettings) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Builds PortraitNet.

    Args:
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W are multiples of 32.
        is_training: whether batch norm uses the batch's statistics.
        settings: whether there is a boundary head.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by block name.
        With a boundary head, `aux_logits` `[N, H, W, 2]` are its logits, channel 1 the boundary.
    """
    with slim.arg_scope(layers.batch_norm_scope(
            is_training, settings.batch_norm_decay, epsilon=EPSILON, activation_fn=tf.nn.relu6,
            weights_initializer=slim.variance_scaling_initializer(mode='FAN_OUT'))):
        net, end_points = mobilenet_v2(layers.normalize(images, MEAN / 255, SCALE * 255),
                                       expand_first=True)
        with tf.variable_scope('PortraitNet'), slim.arg_scope(
                [slim.conv2d, slim.separable_conv2d], activation_fn=tf.nn.relu):
            for row in TABLE:
                with tf.variable_scope(row.name):
                    net = layers.deconv_upsample(d_block(net, row.channels))
                if row.skip:
                    net += end_points[row.skip]
                end_points[row.name] = net
            logits = head(net, 'mask')
            if settings.boundary_head:
                end_points['aux_logits'] = head(net, 'boundary')
    return logits, end_points


def d_block(net: tf.Tensor, channels: int) -> tf.Tensor:
    """Builds two depthwise separable convolutions and a shortcut: `[N, H, W, channels]`.

    It is Figure 2 b.
    """
    shortcut = net
    if net.shape[3].value != channels:
        shortcut = slim.conv2d(net, channels, 1, activation_fn=None, scope='shortcut')
    net = layers.depthwise_conv(net, scope='depthwise_1')
    net = slim.conv2d(net, channels, 1, scope='pointwise_1')
    net = layers.depthwise_conv(net, scope='depthwise_2')
    net = slim.conv2d(net, channels, 1, activation_fn=None, scope='pointwise_2')
    # contrib.quantize would take `net + shortcut` for a residual, in an order that varies.
    return tf.nn.relu(tf.add_n([net, shortcut]))


def head(net: tf.Tensor, scope: str) -> tf.Tensor:
    """Applies a 3×3 convolution without bias: `[N, H, W, C]` to two logits, `[N, H, W, 2]`."""
    return slim.conv2d(net, 2, 3, activation_fn=None, normalizer_fn=None, biases_initializer=None,
                       scope=scope)
