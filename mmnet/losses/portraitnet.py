"""PortraitNet's losses (Section 3.2 of its paper), each a mean over pixels and batch.

Alphas are float32 `[N, H, W, 1]` in [0, 1]; logits are `[N, H, W, 2]`, channel 1 the foreground or
the boundary. The paper prints sums over pixels; its λ, α and β fit means.
"""

import dataclasses

import cv2
import numpy as np
import tensorflow as tf

from mmnet.losses.base import Batch, Objective, Run, foreground_logit, kl_loss
from mmnet.settings import Settings, setting

# Section 3.2: the boundary is four pixels wide at 224×224.
BOUNDARY_WIDTH = 4 / 224


@dataclasses.dataclass(frozen=True)
class Weights(Settings):
    """The weights of Equation 13, and the constants of Equations 2 and 9."""
    boundary_loss_weight: float = setting(
        0.3, 'β of Equation 13; PortraitNet-B takes 0.1', minimum=0)
    consistency_loss_weight: float = setting(
        2.0, 'α of Equation 13; 0 leaves out the second, cleaner image', minimum=0)
    temperature: float = setting(
        1.0, 'T of Equation 9, which smooths the compared softmaxes', above=0)
    focal_gamma: float = setting(2.0, 'γ of Equation 2', minimum=0)


def objective(run: Run, batch: Batch, weights: Weights) -> Objective:
    """Runs the network and computes L'_m + α L_c + β L_e (Equation 13).

    L'_m (Equation 5) is the sum of two terms: `mask` of the image that the network sees, and
    `cleaner_mask` of the image before texture augmentation. Without texture augmentation, or with
    α = 0, the objective is L_m + λ L_e (Equation 3). Without a boundary head there is no L_e.
    """
    twins = batch.untextured is not None and weights.consistency_loss_weight > 0
    if twins:
        # Both images go through in one batch, so that they share batch norm's statistics.
        both, end_points = run(tf.concat([batch.images, batch.untextured], axis=0))
        logits, cleaner = tf.split(both, 2)
    else:
        logits, end_points = run(batch.images)
    terms = {'mask': kl_loss(logits, batch.alphas)}
    total = terms['mask']
    if twins:
        terms['cleaner_mask'] = kl_loss(cleaner, batch.alphas)
        terms['consistency'] = consistency_loss(cleaner, logits, weights.temperature)
        total += terms['cleaner_mask'] + weights.consistency_loss_weight * terms['consistency']
    if 'aux_logits' in end_points:
        boundaries = boundary_target(batch.alphas)
        if twins:
            boundaries = tf.concat([boundaries, boundaries], axis=0)
        terms['boundary'] = boundary_loss(end_points['aux_logits'], boundaries,
                                          weights.focal_gamma)
        total += weights.boundary_loss_weight * terms['boundary']
    return Objective(logits, terms, total)


def boundary_loss(logits: tf.Tensor, boundaries: tf.Tensor, gamma: float) -> tf.Tensor:
    """Computes the focal loss of the boundary (Equation 2); returns a scalar.

    That is −[(1 − p)^γ y log p + p^γ (1 − y) log(1 − p)].

    Args:
        logits: of the boundary, `[N, H, W, 2]`.
        boundaries: y, `[N, H, W, 1]`, 0 or 1.
        gamma: γ; 0 gives the cross-entropy.
    """
    logit = foreground_logit(logits)
    # −log p and −log(1 − p) are finite for every logit, and so are the gradients of the powers.
    minus_log_p, minus_log_q = tf.nn.softplus(-logit), tf.nn.softplus(logit)
    return tf.reduce_mean(boundaries * tf.exp(-gamma * minus_log_q) * minus_log_p +
                          (1 - boundaries) * tf.exp(-gamma * minus_log_p) * minus_log_q)


def consistency_loss(cleaner: tf.Tensor, textured: tf.Tensor, temperature: float) -> tf.Tensor:
    """Computes KL(q ‖ q') T² of the softmaxes of Equation 9 (Equation 6); returns a scalar.

    The cleaner image teaches: no gradient flows into q.

    Args:
        cleaner: z, the logits of the image before texture augmentation.
        textured: z', the logits of the image after it.
        temperature: T.
    """
    logit = tf.stop_gradient(foreground_logit(cleaner)) / temperature
    other = foreground_logit(textured) / temperature
    q = tf.sigmoid(logit)
    # Both classes count, with log q − log q' = softplus(−l') − softplus(−l).
    divergence = (q * (tf.nn.softplus(-other) - tf.nn.softplus(-logit)) +
                  (1 - q) * (tf.nn.softplus(other) - tf.nn.softplus(logit)))
    return tf.reduce_mean(divergence) * temperature ** 2


def boundary_target(alphas: tf.Tensor) -> tf.Tensor:
    """Computes the boundaries of alphas in the graph, `[N, H, W, 1]`; see `draw_boundaries`."""
    boundaries = tf.numpy_function(draw_boundaries, [alphas], tf.float32)
    boundaries.set_shape(alphas.shape)
    return boundaries


def draw_boundaries(alphas: np.ndarray) -> np.ndarray:
    """Draws Canny's edges of the ground truth, four pixels wide at 224×224.

    At other sizes the width changes in proportion.

    Args:
        alphas: float32 `[N, H, W, 1]` in [0, 1].

    Returns:
        float32 of the same shape, 1 on the boundary.
    """
    width = max(1, int(round(BOUNDARY_WIDTH * alphas.shape[1])))
    masks = np.where(alphas[..., 0] > 0.5, 255, 0).astype(np.uint8)
    lines = [cv2.dilate(cv2.Canny(mask, 100, 200), np.ones([width, width])) for mask in masks]
    return np.reshape(lines, alphas.shape).astype(np.float32) / 255
