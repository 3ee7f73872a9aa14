"""The layers that the networks share."""

from typing import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.contrib import slim

# The name by which quantization finds images that a network normalizes.
NORMALIZED = 'normalized'


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
            raise ValueError(f'the images\' {name} must be known when the graph is built')
        if size < stride or size % stride:
            below, above = size // stride * stride, (size // stride + 1) * stride
            sizes = f'{below} or {above}' if below else str(above)
            raise ValueError('image {} {} is no multiple of the network\'s stride {}; '
                             '{} would do'.format(name, size, stride, sizes))


def batch_norm_scope(is_training: bool, decay: float, epsilon: float, activation_fn,
                     weights_initializer):
    """An arg scope in which every convolution is followed by batch norm and `activation_fn`."""
    with slim.arg_scope([slim.batch_norm], is_training=is_training, decay=decay, epsilon=epsilon,
                        center=True, scale=True, fused=True), \
            slim.arg_scope([slim.conv2d, slim.separable_conv2d], normalizer_fn=slim.batch_norm,
                           activation_fn=activation_fn, weights_initializer=weights_initializer,
                           padding='SAME') as scope:
        return scope


def depthwise_conv(net: tf.Tensor, stride: int = 1, rate: int = 1, scope: str = None) -> tf.Tensor:
    """3×3 depthwise convolution with a stride or a dilation rate; norm and activation as scoped."""
    return slim.separable_conv2d(net, None, [3, 3], depth_multiplier=1, stride=stride, rate=rate,
                                 scope=scope)


def linear_conv(net: tf.Tensor, channels: int, kernel: int, stride: int = 1,
                scope: str = None) -> tf.Tensor:
    """Convolution with bias, without norm and activation."""
    return slim.conv2d(net, channels, kernel, stride, activation_fn=None, normalizer_fn=None,
                       scope=scope)


def logits_conv(net: tf.Tensor, scope: str) -> tf.Tensor:
    """1×1 convolution with bias to the two logits `[background, foreground]`, no norm."""
    return linear_conv(net, 2, 1, scope=scope)


def normalize(images: tf.Tensor, mean: Sequence[float], scale: float) -> tf.Tensor:
    """(image − mean) × scale.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`.
        mean: of red, green and blue, in [0, 1].
        scale: of all three.
    """
    return tf.multiply(images - np.array(mean, np.float32), np.float32(scale), name=NORMALIZED)


def instance_norm(net: tf.Tensor, epsilon: float = 1e-5) -> tf.Tensor:
    """Every channel of every image with mean 0 and variance 1, without scale and centre."""
    mean = tf.reduce_mean(net, axis=[1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.squared_difference(net, mean), axis=[1, 2], keepdims=True)
    return (net - mean) * tf.rsqrt(variance + epsilon)


def upsample(net: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """Bilinear upsampling by a whole factor, `align_corners=False`."""
    height, width = net.shape.as_list()[1:3]
    return tf.image.resize_bilinear(net, [height * factor, width * factor])


def double_size(net: tf.Tensor, scope: str = 'deconv') -> tf.Tensor:
    """4×4 transposed convolution of stride 2 without bias, at first bilinear upsampling."""
    batch, height, width, channels = net.shape.as_list()
    with tf.variable_scope(scope):
        weights = slim.model_variable('weights', initializer=bilinear(channels))
    # slim's own layer takes the shape from the graph even where it is known, which no export likes.
    shape = [batch or tf.shape(net)[0], 2 * height, 2 * width, channels]
    return tf.nn.conv2d_transpose(net, weights, shape, 2)


def bilinear(channels: int) -> np.ndarray:
    """The weights `[4, 4, channels, channels]` with which `double_size` upsamples each channel."""
    triangle = np.array([1, 3, 3, 1]) / 4
    kernel = np.outer(triangle, triangle)[:, :, np.newaxis, np.newaxis]
    return (kernel * np.eye(channels)).astype(np.float32)


def branchwise(initializer, branches: int):
    """An initializer that draws each branch's share of a convolution's outputs on its own.

    One wide convolution can then stand for `branches` narrow ones on the same input, with weights
    distributed as theirs: Xavier's limit depends on the number of outputs.
    """
    def initialize(shape: Sequence[int], dtype=tf.float32, partition_info=None) -> tf.Tensor:
        share = list(shape[:-1]) + [shape[-1] // branches]
        return tf.concat([initializer(share, dtype) for _ in range(branches)], axis=-1)
    return initialize
