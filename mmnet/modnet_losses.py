"""MODNet's losses, each a mean over pixels and batch, and its self-supervised consistency.

Alphas, masks and mattes are float32 `[N, H, W, 1]` in [0, 1].
"""

from collections import OrderedDict

import cv2
import numpy as np
import tensorflow as tf

from mmnet.losses import Batch, Objective, Run, alpha_loss, compositional_loss, foreground_alpha

# The coarse mask's side is a sixteenth of the photo's.
THUMBNAIL = 16
# Of the blur, 3×3.
SIGMA = 0.8
# The window of dilation and erosion, of the photo's side; what they take for background and
# foreground, as masks stored as JPEG are never quite 0 and 1.
UNKNOWN_WIDTH = 0.05
BACKGROUND, FOREGROUND = 0.1, 0.9


def objective(run: Run, batch: Batch, semantic_loss_weight: float = 1.0,
              detail_loss_weight: float = 10.0, matte_loss_weight: float = 1.0) -> Objective:
    """λ_s L_s + λ_d L_d + λ_α L_α.

    Args:
        run: runs the network.
        batch: what it is trained on.
        semantic_loss_weight: λ_s.
        detail_loss_weight: λ_d.
        matte_loss_weight: λ_α.
    """
    logits, end_points = run(batch.images)
    terms = OrderedDict([
        ('semantic', semantic_loss(tf.sigmoid(end_points['semantic']), thumbnail(batch.alphas))),
        ('detail', detail_loss(tf.sigmoid(end_points['detail']), batch.alphas,
                               unknown_region(batch.alphas))),
        ('matte', matte_loss(batch.images, foreground_alpha(logits), batch.alphas)),
    ])
    return Objective(logits, terms, semantic_loss_weight * terms['semantic'] +
                     detail_loss_weight * terms['detail'] + matte_loss_weight * terms['matte'])


def consistency(run: Run, frozen: Run, batch: Batch) -> Objective:
    """SOC, on photos without alphas: the three predictions of a trained network made to agree.

    L_cons = ½‖G(α) − s‖² + m_d |α − d| pulls them together, m_d the boundary of α itself;
    L_dd = m_d |d' − d|, with d' of a copy that stays as it was, keeps the detail from going flat.

    Args:
        run: runs the network.
        frozen: runs the copy.
        batch: its photos; alphas are not looked at.
    """
    logits, end_points = run(batch.images)
    alpha = foreground_alpha(logits)
    detail = tf.sigmoid(end_points['detail'])
    # The boundary between foreground and background, not all that the network is unsure of: there
    # the detail matte, which has never learned it, knows no better.
    unknown = unknown_region(tf.cast(alpha > 0.5, tf.float32))
    frozen_logits, frozen_end_points = frozen(batch.images)
    before = tf.stop_gradient(tf.sigmoid(frozen_end_points['detail']))
    terms = OrderedDict([
        ('semantic_consistency',
         semantic_loss(tf.sigmoid(end_points['semantic']), thumbnail(alpha))),
        ('detail_consistency', detail_loss(detail, alpha, unknown)),
        ('detail_kept', detail_loss(detail, before, unknown)),
    ])
    return Objective(logits, terms, tf.add_n(list(terms.values())),
                     reference=foreground_alpha(frozen_logits))


def semantic_loss(mask: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """L_s = ½‖s − G(α_gt)‖², a scalar.

    Args:
        mask: s, the coarse mask, `[N, H/16, W/16, 1]`.
        target: as of `thumbnail`.
    """
    return 0.5 * tf.reduce_mean(tf.squared_difference(mask, target))


def detail_loss(detail: tf.Tensor, alpha_gt: tf.Tensor, unknown: tf.Tensor) -> tf.Tensor:
    """L_d = m_d |d − α_gt|, a scalar.

    Args:
        detail: d, the detail matte.
        alpha_gt: what it should be.
        unknown: m_d, as of `unknown_region`.
    """
    return tf.reduce_mean(unknown * tf.abs(detail - alpha_gt))


def matte_loss(images: tf.Tensor, alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """L_α = |α − α_gt| + L_c, with the compositional loss L_c, a scalar.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`.
    """
    return alpha_loss(alpha, alpha_gt) + compositional_loss(images, alpha, alpha_gt)


def thumbnail(alpha: tf.Tensor) -> tf.Tensor:
    """G(α): a sixteenth of the size, then blurred, `[N, H/16, W/16, 1]`."""
    small = tf.nn.avg_pool2d(alpha, THUMBNAIL, THUMBNAIL, 'VALID')
    small = tf.pad(small, [[0, 0], [1, 1], [1, 1], [0, 0]], 'SYMMETRIC')
    gaussian = cv2.getGaussianKernel(3, SIGMA)
    kernel = gaussian.dot(gaussian.T)[:, :, np.newaxis, np.newaxis].astype(np.float32)
    return tf.nn.conv2d(small, kernel, 1, 'VALID')


def unknown_region(alpha: tf.Tensor) -> tf.Tensor:
    """m_d: where a trimap made by dilation and erosion is neither foreground nor background.

    Returns:
        `[N, H, W, 1]` of 0 and 1.
    """
    # Odd, so that it has a middle.
    window = 2 * max(1, int(round(UNKNOWN_WIDTH * alpha.shape[1].value / 2))) + 1
    dilated = tf.nn.max_pool2d(alpha, window, 1, 'SAME')
    eroded = -tf.nn.max_pool2d(-alpha, window, 1, 'SAME')
    return tf.cast(tf.logical_and(dilated > BACKGROUND, eroded < FOREGROUND), tf.float32)
