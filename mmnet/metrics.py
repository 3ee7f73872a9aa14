"""Gradient error and MAD (Section 3) in the graph; evaluation uses `scores`, in NumPy.

Graph functions of alphas `[N, H, W, 1]` in [0, 1]. They return one value per image, unscaled.
"""

import numpy as np
import tensorflow as tf

from mmnet import scores


def gaussian_derivative_filters() -> np.ndarray:
    """Returns first-order Gaussian derivatives along x and y, σ = 1.4: `[9, 9, 1, 2]`."""
    # Convolution flips the kernel and conv2d does not, hence minus the derivative.
    gaussian, derivative = scores.gaussian_derivative()
    along_x = np.outer(gaussian, derivative)
    return np.stack([along_x, along_x.T], axis=-1)[:, :, np.newaxis].astype(np.float32)


def gradient_error(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes the mean L2 norm of ∇α − ∇α_gt over pixels (Equation 11); returns `[N]`.

    There is no padding: the four pixels nearest to each border drop out. Tables give it × 1000.
    """
    # ∇ is linear: the difference of the gradients is the gradient of the difference.
    gradients = tf.nn.conv2d(alpha - alpha_gt, gaussian_derivative_filters(), strides=1,
                             padding='VALID')
    return tf.reduce_mean(tf.norm(gradients, axis=3), axis=[1, 2])


def mean_absolute_difference(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes the mean of |α − α_gt| over pixels (Equation 12); returns `[N]`.

    Tables give it × 100.
    """
    return tf.reduce_mean(tf.abs(alpha - alpha_gt), axis=[1, 2, 3])
