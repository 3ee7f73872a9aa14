"""MODNet's losses, each a mean over pixels and batch, and its sub-objectives consistency (SOC).

Alphas, masks and mattes are float32 `[N, H, W, 1]` in [0, 1].
"""

import dataclasses

import cv2
import numpy as np
import tensorflow as tf

from mmnet.losses.base import (Batch, Objective, Run, alpha_loss, compositional_loss,
                               foreground_alpha, weighted_sum)
from mmnet.settings import Settings, setting

# The coarse mask is a sixteenth of the photo's size.
THUMBNAIL = 16
# Standard deviation of the 3×3 blur, in the coarse mask's pixels.
SIGMA = 0.8
# The window of dilation and erosion, as a share of the photo's side.
UNKNOWN_WIDTH = 0.05
# Below and above these an alpha is certain: masks stored as JPEG are never quite 0 or 1.
BACKGROUND, FOREGROUND = 0.1, 0.9


@dataclasses.dataclass(frozen=True)
class Weights(Settings):
    """The weights λ of MODNet's three losses."""
    semantic_loss_weight: float = setting(1.0, 'λ_s of the coarse mask\'s loss', minimum=0)
    detail_loss_weight: float = setting(10.0, 'λ_d of the boundary detail\'s loss', minimum=0)
    matte_loss_weight: float = setting(1.0, 'λ_α of the matte\'s loss', minimum=0)


def objective(run: Run, batch: Batch, weights: Weights) -> Objective:
    """Runs the network and computes λ_s L_s + λ_d L_d + λ_α L_α."""
    logits, end_points = run(batch.images)
    terms = {
        'semantic': semantic_loss(tf.sigmoid(end_points['semantic']), thumbnail(batch.alphas)),
        'detail': detail_loss(tf.sigmoid(end_points['detail']), batch.alphas,
                              unknown_region(batch.alphas)),
        'matte': matte_loss(batch.images, foreground_alpha(logits), batch.alphas),
    }
    return Objective(logits, terms, weighted_sum(terms, {
        'semantic': weights.semantic_loss_weight, 'detail': weights.detail_loss_weight,
        'matte': weights.matte_loss_weight}))


def consistency(run: Run, run_frozen: Run, batch: Batch) -> Objective:
    """Computes SOC's objective: the three predictions of a trained network are made to agree.

    L_cons = ½‖G(α) − s‖² + m_d |α − d| pulls them together; m_d is the boundary of α itself.
    L_dd = m_d |d' − d| compares with d' of a frozen copy, so that the detail does not go flat.

    Args:
        run: runs the network.
        run_frozen: runs the frozen copy.
        batch: the photos; the alphas are not read.
    """
    logits, end_points = run(batch.images)
    alpha = foreground_alpha(logits)
    detail = tf.sigmoid(end_points['detail'])
    # m_d covers the boundary only. Elsewhere the detail matte was never trained and knows nothing.
    unknown = unknown_region(tf.cast(alpha > 0.5, tf.float32))
    frozen_logits, frozen_end_points = run_frozen(batch.images)
    frozen_detail = tf.stop_gradient(tf.sigmoid(frozen_end_points['detail']))
    terms = {
        'semantic_consistency':
            semantic_loss(tf.sigmoid(end_points['semantic']), thumbnail(alpha)),
        'detail_consistency': detail_loss(detail, alpha, unknown),
        'detail_kept': detail_loss(detail, frozen_detail, unknown),
    }
    return Objective(logits, terms, tf.add_n(list(terms.values())),
                     reference=foreground_alpha(frozen_logits))


def semantic_loss(mask: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Computes L_s = ½‖s − G(α_gt)‖²; returns a scalar.

    Args:
        mask: s, the coarse mask, `[N, H/16, W/16, 1]`.
        target: G(α_gt), as returned by `thumbnail`.
    """
    return 0.5 * tf.reduce_mean(tf.squared_difference(mask, target))


def detail_loss(detail: tf.Tensor, alpha_gt: tf.Tensor, unknown: tf.Tensor) -> tf.Tensor:
    """Computes L_d = m_d |d − α_gt|; returns a scalar.

    Args:
        detail: d, the detail matte.
        alpha_gt: its target.
        unknown: m_d, as returned by `unknown_region`.
    """
    return tf.reduce_mean(unknown * tf.abs(detail - alpha_gt))


def matte_loss(images: tf.Tensor, alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes L_α = |α − α_gt| + L_c with the compositional loss L_c; returns a scalar.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`.
        alpha, alpha_gt: `[N, H, W, 1]`.
    """
    return alpha_loss(alpha, alpha_gt) + compositional_loss(images, alpha, alpha_gt)


def thumbnail(alpha: tf.Tensor) -> tf.Tensor:
    """Computes G(α): shrinks to a sixteenth, then blurs; returns `[N, H/16, W/16, 1]`."""
    small = tf.nn.avg_pool2d(alpha, THUMBNAIL, THUMBNAIL, 'VALID')
    small = tf.pad(small, [[0, 0], [1, 1], [1, 1], [0, 0]], 'SYMMETRIC')
    gaussian = cv2.getGaussianKernel(3, SIGMA)
    kernel = gaussian.dot(gaussian.T)[:, :, np.newaxis, np.newaxis].astype(np.float32)
    return tf.nn.conv2d(small, kernel, 1, 'VALID')


def unknown_region(alpha: tf.Tensor) -> tf.Tensor:
    """Computes m_d, the unknown part of a trimap made by dilation and erosion.

    Returns:
        `[N, H, W, 1]`, 0 or 1.
    """
    # An odd window has a middle.
    window = 2 * max(1, int(round(UNKNOWN_WIDTH * alpha.shape[1].value / 2))) + 1
    dilated = tf.nn.max_pool2d(alpha, window, 1, 'SAME')
    eroded = -tf.nn.max_pool2d(-alpha, window, 1, 'SAME')
    return tf.cast(tf.logical_and(dilated > BACKGROUND, eroded < FOREGROUND), tf.float32)
