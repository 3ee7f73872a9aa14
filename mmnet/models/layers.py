"""The layers that the networks share."""

from typing import Sequence

import tensorflow as tf
from tensorflow.contrib import slim


def check_size(images: tf.Tensor, stride: int) -> None:
    """Refuses images whose height or width is no multiple of the network's stride.

    Args:
        images: `[N, H, W, 3]`, H and W known when the graph is built; N may be dynamic.
        stride: input pixels a side of one cell of the network's coarsest map.

    Raises:
        ValueError: names the sizes that would do.
    """
    height, width = images.shape.as_list()[1:3]
    for name, size in (('height', height), ('width', width)):
        if size is None:
            raise ValueError('the images\' {} must be known when the graph is built'.format(name))
        if size < stride or size % stride:
            below, above = size // stride * stride, (size // stride + 1) * stride
            sizes = '{} or {}'.format(below, above) if below else str(above)
            raise ValueError('image {} {} is no multiple of the network\'s stride {}; '
                             '{} would do'.format(name, size, stride, sizes))


def batch_norm_scope(is_training: bool, decay: float, epsilon: float, activation_fn,
                     weights_initializer):
    """An arg scope in which every convolution is followed by batch norm and `activation_fn`."""
    batch_norm_params = {'is_training': is_training, 'decay': decay, 'epsilon': epsilon,
                         'center': True, 'scale': True, 'fused': True}
    with slim.arg_scope([slim.conv2d, slim.separable_conv2d],
                        normalizer_fn=slim.batch_norm, normalizer_params=batch_norm_params,
                        activation_fn=activation_fn, weights_initializer=weights_initializer,
                        padding='SAME') as scope:
        return scope


def depthwise_conv(net: tf.Tensor, stride: int = 1, rate: int = 1, scope: str = None) -> tf.Tensor:
    """3×3 depthwise convolution with a stride or a dilation rate; norm and activation as scoped."""
    return slim.separable_conv2d(net, None, [3, 3], depth_multiplier=1, stride=stride, rate=rate,
                                 scope=scope)


def logits_conv(net: tf.Tensor, scope: str) -> tf.Tensor:
    """1×1 convolution with bias to the two logits `[background, foreground]`, no norm."""
    return slim.conv2d(net, 2, [1, 1], activation_fn=None, normalizer_fn=None, scope=scope)


def upsample(net: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """Bilinear upsampling by a whole factor, `align_corners=False`."""
    height, width = net.shape.as_list()[1:3]
    return tf.image.resize_bilinear(net, [height * factor, width * factor])


def branchwise(initializer, branches: int):
    """An initializer that draws each branch's share of a convolution's outputs on its own.

    One wide convolution can then stand for `branches` narrow ones on the same input, with weights
    distributed as theirs: Xavier's limit depends on the number of outputs.
    """
    def initialize(shape: Sequence[int], dtype=tf.float32, partition_info=None) -> tf.Tensor:
        share = list(shape[:-1]) + [shape[-1] // branches]
        return tf.concat([initializer(share, dtype) for _ in range(branches)], axis=-1)
    return initialize
