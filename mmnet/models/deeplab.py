"""Mobile DeepLabv3, the paper's measured rival: MobileNetV2 and a head without ASPP's dilations.

The head's variables are named as in the public DeepLab checkpoints (`aspp0`, `image_pooling`, …).
"""

from collections import OrderedDict
from typing import Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers
from mmnet.models.mobilenet_v2 import mobilenet_v2


def deeplab(images: tf.Tensor, is_training: bool, width_multiplier: float = 1.0,
            output_stride: int = 16,
            batch_norm_decay: float = 0.9997) -> Tuple[tf.Tensor, OrderedDict]:
    """Builds Mobile DeepLabv3.

    Args:
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W multiples of `output_stride`.
        is_training: whether batch norm uses the batch's statistics and dropout is on.
        width_multiplier: scales the backbone's channels; the head keeps its 256.
        output_stride: 8 or 16.
        batch_norm_decay: of the moving statistics; smaller for runs of few steps.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by name.

    Raises:
        ValueError: for another output stride, or a size that is no multiple of it.
    """
    if output_stride not in (8, 16):
        raise ValueError(f'output_stride {output_stride} is not built; 8 or 16 would do')
    layers.check_size(images, output_stride)
    with slim.arg_scope(layers.batch_norm_scope(
            is_training, batch_norm_decay, epsilon=1e-5, activation_fn=tf.nn.relu6,
            weights_initializer=tf.truncated_normal_initializer(stddev=0.09))):
        net, end_points = mobilenet_v2(images, width_multiplier, output_stride)
        with slim.arg_scope([slim.conv2d], activation_fn=tf.nn.relu):
            net = head(net, is_training)
        end_points['concat_projection'] = net
        logits = layers.logits_conv(net, 'logits/semantic')
    logits = tf.image.resize_bilinear(logits, images.shape.as_list()[1:3], align_corners=True)
    end_points['logits'] = logits
    return logits, end_points


def head(net: tf.Tensor, is_training: bool) -> tf.Tensor:
    """A 1×1 branch and a global pooling branch, concatenated and projected, then dropout."""
    height, width = net.shape.as_list()[1:3]
    pooled = tf.reduce_mean(net, axis=[1, 2], keepdims=True)
    pooled = slim.conv2d(pooled, 256, 1, scope='image_pooling')
    # Bilinear resizing of a single pixel is a copy of it everywhere.
    pooled = tf.tile(pooled, [1, height, width, 1])
    net = slim.conv2d(net, 256, 1, scope='aspp0')
    net = slim.conv2d(tf.concat([pooled, net], axis=3), 256, 1, scope='concat_projection')
    return slim.dropout(net, keep_prob=0.9, is_training=is_training)
