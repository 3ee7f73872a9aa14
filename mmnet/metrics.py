"""The metrics of Section 3, gradient error and MAD, and PortraitNet's IOU and edge IOU.

Graph functions of alphas `[N, H, W, 1]` in [0, 1]. They return one value an image, not multiplied.
"""

import cv2
import numpy as np
import tensorflow as tf

from mmnet import scores

# PortraitNet's Table 2, first row: σ of the distance from the boundary, 3 pixels of 224.
EDGE_SIGMA = 3 / 224


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


def intersection_over_union(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes the IOU of the foregrounds α > 0.5 (PortraitNet's Equation 10); returns `[N]`.

    It is 1 where both foregrounds are empty.
    """
    predicted, truth = alpha > 0.5, alpha_gt > 0.5
    intersection = _count(tf.logical_and(predicted, truth))
    union = _count(tf.logical_or(predicted, truth))
    return tf.where(union > 0, intersection / tf.maximum(union, 1), tf.ones_like(union))


def edge_intersection_over_union(alpha: tf.Tensor, alpha_gt: tf.Tensor,
                                 sigma: float = EDGE_SIGMA) -> tf.Tensor:
    """Computes the IOU weighted by `edge_weights` (PortraitNet's Equation 11); returns `[N]`.

    The weights are 0 outside the ground truth, so a foreground predicted there does not count.
    The value is 1 where there is no boundary.

    Args:
        alpha, alpha_gt: `[N, H, W, 1]`.
        sigma: see `edge_weights`.
    """
    weights = tf.numpy_function(edge_weights, [alpha_gt, sigma], tf.float32)
    weights.set_shape(alpha_gt.shape)
    found = tf.reduce_sum(weights * tf.cast(alpha > 0.5, tf.float32), axis=[1, 2, 3])
    whole = tf.reduce_sum(weights, axis=[1, 2, 3])
    return tf.where(whole > 0, found / tf.where(whole > 0, whole, tf.ones_like(whole)),
                    tf.ones_like(whole))


def edge_weights(alpha_gt: np.ndarray, sigma: float) -> np.ndarray:
    """Computes exp(−dis²/2σ²) in the foreground α_gt > 0.5, 0 outside (PortraitNet's Equation 12).

    dis is the distance to the nearest background pixel.

    Args:
        alpha_gt: float32 `[N, H, W, 1]` in [0, 1].
        sigma: as a share of √(HW), the side of a square image.

    Returns:
        float32, shaped like `alpha_gt`.
    """
    weights = np.zeros(alpha_gt.shape, np.float32)
    height, width = alpha_gt.shape[1:3]
    for each, result in zip(alpha_gt[..., 0] > 0.5, weights[..., 0]):
        if not each.all():
            distance = cv2.distanceTransform(each.astype(np.uint8), cv2.DIST_L2,
                                             cv2.DIST_MASK_PRECISE)
            result[each] = np.exp(-distance[each] ** 2 / (2 * sigma ** 2 * height * width))
    return weights


def resize_alpha(alpha: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resizes alphas bilinearly to a mask's own size, `[N, height, width, 1]`.

    Pixels are areas (`half_pixel_centers`), as they were when the photo was resized.
    """
    return tf.compat.v1.image.resize_bilinear(alpha, [height, width], half_pixel_centers=True)


def _count(mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(mask, tf.float32), axis=[1, 2, 3])
