"""Mobile DeepLabv3, the paper's measured rival: MobileNetV2 and a head without dilated ASPP.

The head's variables have the names of the public DeepLab checkpoints (`aspp0`, `image_pooling`).
"""

import dataclasses
from typing import Dict, Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers
from mmnet.models.mobilenet_v2 import EPSILON, mobilenet_v2
from mmnet.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class DeepLabSettings(Settings):
    """The rows of Mobile DeepLabv3 in Tables 2 and 3, and batch norm's decay."""
    width_multiplier: float = setting(
        1.0, 'scales the backbone\'s channels; the head keeps its 256', above=0)
    output_stride: int = setting(
        16, 'input pixels per cell of the backbone\'s map', choices=(8, 16))
    batch_norm_decay: float = layers.batch_norm_decay(0.9997)


def deeplab(images: tf.Tensor, is_training: bool,
            settings: DeepLabSettings) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Builds Mobile DeepLabv3.

    Args:
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W are multiples of the output stride.
        is_training: whether batch norm uses the batch's statistics and dropout is on.
        settings: width and output stride.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by name.
    """
    with slim.arg_scope(layers.batch_norm_scope(
            is_training, settings.batch_norm_decay, epsilon=EPSILON, activation_fn=tf.nn.relu6,
            weights_initializer=tf.truncated_normal_initializer(stddev=0.09))):
        net, end_points = mobilenet_v2(images, settings.width_multiplier, settings.output_stride)
        with slim.arg_scope([slim.conv2d], activation_fn=tf.nn.relu):
            net = head(net, is_training)
        end_points['concat_projection'] = net
        logits = layers.logits_conv(net, 'logits/semantic')
    logits = tf.image.resize_bilinear(logits, images.shape.as_list()[1:3], align_corners=True)
    end_points['logits'] = logits
    return logits, end_points


def head(net: tf.Tensor, is_training: bool) -> tf.Tensor:
    """Projects a 1×1 branch and a global pooling branch of `[N, H, W, C]` to `[N, H, W, 256]`."""
    height, width = net.shape.as_list()[1:3]
    pooled = tf.reduce_mean(net, axis=[1, 2], keepdims=True)
    pooled = slim.conv2d(pooled, 256, 1, scope='image_pooling')
    # Resizing a single pixel bilinearly repeats it.
    pooled = tf.tile(pooled, [1, height, width, 1])
    net = slim.conv2d(net, 256, 1, scope='aspp0')
    net = slim.conv2d(tf.concat([pooled, net], axis=3), 256, 1, scope='concat_projection')
    return slim.dropout(net, keep_prob=0.9, is_training=is_training)
