"""The measures of Section 3: gradient error and MAD, and PortraitNet's mean IOU.

Graph functions over alphas `[N, H, W, 1]` in [0, 1], one value an image, not multiplied.
"""

import numpy as np
import tensorflow as tf

SIGMA = 1.4
RADIUS = 4


def gaussian_derivative_filters() -> np.ndarray:
    """First-order Gaussian derivatives along x and y, σ = 1.4, 9×9: `[9, 9, 1, 2]`.

    The paper prints variance 1.4; the matting benchmark that it follows has σ = 1.4.
    """
    x = np.arange(-RADIUS, RADIUS + 1)
    gaussian = np.exp(-x ** 2 / (2 * SIGMA ** 2))
    gaussian /= gaussian.sum()
    # Convolution flips the kernel; conv2d correlates, hence the positive sign.
    derivative = x / SIGMA ** 2 * gaussian
    along_x = np.outer(gaussian, derivative)
    return np.stack([along_x, along_x.T], axis=-1)[:, :, np.newaxis].astype(np.float32)


def gradient_error(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Equation 11: mean over pixels of the L2 norm of ∇α − ∇α_gt, `[N]`.

    There is no padding: the four pixels nearest to each border drop out. Tables give it × 1000.
    """
    # ∇ is linear, so the difference of the gradients is the gradient of the difference.
    gradients = tf.nn.conv2d(alpha - alpha_gt, gaussian_derivative_filters(), strides=1,
                             padding='VALID')
    return tf.reduce_mean(tf.norm(gradients, axis=3), axis=[1, 2])


def mean_absolute_difference(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Equation 12: mean over pixels of |α − α_gt|, `[N]`. Tables give it × 100."""
    return tf.reduce_mean(tf.abs(alpha - alpha_gt), axis=[1, 2, 3])


def intersection_over_union(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """PortraitNet's Equation 10: IOU of the foregrounds α > 0.5, `[N]`; 1 where both are empty."""
    predicted, truth = alpha > 0.5, alpha_gt > 0.5
    intersection = _count(tf.logical_and(predicted, truth))
    union = _count(tf.logical_or(predicted, truth))
    return tf.where(union > 0, intersection / tf.maximum(union, 1), tf.ones_like(union))


def resize_alpha(alpha: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """An alpha at a mask's own size, where metrics are taken; bilinear, `[N, height, width, 1]`.

    Pixels are taken as areas, as the photo was when it was resized to the network's input.
    """
    return tf.compat.v1.image.resize_bilinear(alpha, [height, width], half_pixel_centers=True)


def _count(mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(mask, tf.float32), axis=[1, 2, 3])
