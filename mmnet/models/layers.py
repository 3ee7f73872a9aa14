"""The layers that several networks share."""

from typing import Any, Callable, Optional, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.settings import setting

# Quantization finds normalized images by the name of their operation.
NORMALIZED = 'normalized'


def batch_norm_decay(default: float) -> Any:
    """Declares the setting that every network has: batch norm's decay."""
    return setting(default, 'decay of batch norm\'s moving statistics; 0.99 suits runs of a '
                   'thousand steps', above=0, below=1, training_only=True)


def batch_norm_scope(is_training: bool, decay: float, epsilon: float,
                     activation_fn: Optional[Callable], weights_initializer: Callable) -> Any:
    """Returns an arg scope in which batch norm and `activation_fn` follow every convolution."""
    with slim.arg_scope([slim.batch_norm], is_training=is_training, decay=decay, epsilon=epsilon,
                        center=True, scale=True, fused=True), \
            slim.arg_scope([slim.conv2d, slim.separable_conv2d], normalizer_fn=slim.batch_norm,
                           activation_fn=activation_fn, weights_initializer=weights_initializer,
                           padding='SAME') as scope:
        return scope


def depthwise_conv(net: tf.Tensor, stride: int = 1, rate: int = 1,
                   scope: Optional[str] = None) -> tf.Tensor:
    """Applies a 3×3 depthwise convolution; the arg scope adds norm and activation.

    Args:
        net: `[N, H, W, C]`.
        stride: of the convolution; 1 if it is dilated.
        rate: dilation rate.
        scope: name of the layer.

    Returns:
        `[N, H/stride, W/stride, C]`.
    """
    return slim.separable_conv2d(net, None, [3, 3], depth_multiplier=1, stride=stride, rate=rate,
                                 scope=scope)


def linear_conv(net: tf.Tensor, channels: int, kernel: int, stride: int = 1,
                scope: Optional[str] = None) -> tf.Tensor:
    """Applies a convolution with bias to `[N, H, W, C]`, without norm or activation."""
    return slim.conv2d(net, channels, kernel, stride, activation_fn=None, normalizer_fn=None,
                       scope=scope)


def logits_conv(net: tf.Tensor, scope: str) -> tf.Tensor:
    """Applies a 1×1 convolution with bias: two logits `[background, foreground]` per pixel."""
    return linear_conv(net, 2, 1, scope=scope)


def normalize(images: tf.Tensor, mean: Sequence[float], scale: float) -> tf.Tensor:
    """Computes (image − mean) × scale.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`; further channels have the mean 0.5.
        mean: red, green and blue, in [0, 1].
        scale: one factor for all.
    """
    mean = [*mean, *[0.5] * (images.shape.as_list()[3] - 3)]
    return tf.multiply(images - np.array(mean, np.float32), np.float32(scale), name=NORMALIZED)


def instance_norm(net: tf.Tensor) -> tf.Tensor:
    """Normalizes every channel of every image, `[N, H, W, C]`, to mean 0 and variance 1."""
    mean = tf.reduce_mean(net, axis=[1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.squared_difference(net, mean), axis=[1, 2], keepdims=True)
    return (net - mean) * tf.rsqrt(variance + 1e-5)


def upsample(net: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """Upsamples `[N, H, W, C]` bilinearly by a whole factor, with `align_corners=False`."""
    height, width = net.shape.as_list()[1:3]
    return tf.image.resize_bilinear(net, [height * factor, width * factor])


def deconv_upsample(net: tf.Tensor) -> tf.Tensor:
    """Upsamples `[N, H, W, C]` ×2 by a 4×4 transposed convolution, bilinear at first."""
    batch, height, width, channels = net.shape.as_list()
    with tf.variable_scope('deconv'):
        weights = slim.model_variable('weights', initializer=bilinear_weights(channels))
    # slim's own layer reads static shapes from the graph at run time, which cannot be exported.
    shape = [batch or tf.shape(net)[0], 2 * height, 2 * width, channels]
    return tf.nn.conv2d_transpose(net, weights, shape, 2)


def bilinear_weights(channels: int) -> np.ndarray:
    """Returns the weights `[4, 4, channels, channels]` that upsample each channel bilinearly."""
    triangle = np.array([1, 3, 3, 1]) / 4
    kernel = np.outer(triangle, triangle)[:, :, np.newaxis, np.newaxis]
    return (kernel * np.eye(channels)).astype(np.float32)


def branchwise(initializer: Callable, branches: int) -> Callable:
    """Returns an initializer that draws each branch's share of the outputs on its own.

    One wide convolution can then replace `branches` narrow ones that read the same input. Its
    weights are distributed as theirs: Xavier's limit depends on the number of outputs.
    """
    def initialize(shape: Sequence[int], dtype=tf.float32, partition_info=None) -> tf.Tensor:
        share = list(shape[:-1]) + [shape[-1] // branches]
        return tf.concat([initializer(share, dtype) for _ in range(branches)], axis=-1)
    return initialize
