"""PortraitNet's losses (Section 3.2 there), each a mean over pixels and batch.

Alphas are float32 `[N, H, W, 1]` in [0, 1]; logits `[N, H, W, 2]`, channel 1 the foreground or the
boundary. The paper's sums over pixels are means here, as its λ, α and β weigh means.
"""

from collections import OrderedDict

import cv2
import numpy as np
import tensorflow as tf

from mmnet.losses import Batch, Objective, Run, foreground_logit, kl_loss

# Section 3.2: the boundary is four pixels wide at 224×224.
BOUNDARY_WIDTH = 4 / 224


def objective(run: Run, batch: Batch, boundary_loss_weight: float = 0.3,
              consistency_loss_weight: float = 2.0, temperature: float = 1.0,
              focal_gamma: float = 2.0) -> Objective:
    """Equation 13: L'_m + α L_c + β L_e.

    Without texture augmentation, or α, it is Equation 3: L_m + λ L_e; without a boundary head there
    is no L_e. The two sums of L'_m (Equation 5) are terms of their own, `mask` of what the network
    sees and `cleaner_mask` of the image before texture augmentation.

    Args:
        run: runs the network.
        batch: what it is trained on.
        boundary_loss_weight: β of Equation 13; PortraitNet-B has λ = 0.1.
        consistency_loss_weight: α of Equation 13; 0, or an augmentation without textures, leaves
            out the second, cleaner image.
        temperature: T of Equation 9, which smooths what is compared.
        focal_gamma: γ of Equation 2.
    """
    twins = batch.untextured is not None and consistency_loss_weight > 0
    if twins:
        # One batch of both, so that they are normalized alike.
        both, end_points = run(tf.concat([batch.images, batch.untextured], axis=0))
        logits, cleaner = tf.split(both, 2)
    else:
        logits, end_points = run(batch.images)
    terms = OrderedDict(mask=kl_loss(logits, batch.alphas))
    total = terms['mask']
    if twins:
        terms['cleaner_mask'] = kl_loss(cleaner, batch.alphas)
        terms['consistency'] = consistency_loss(cleaner, logits, temperature)
        total += terms['cleaner_mask'] + consistency_loss_weight * terms['consistency']
    if 'aux_logits' in end_points:
        boundaries = boundary_target(batch.alphas)
        if twins:
            boundaries = tf.concat([boundaries, boundaries], axis=0)
        terms['boundary'] = boundary_loss(end_points['aux_logits'], boundaries, focal_gamma)
        total += boundary_loss_weight * terms['boundary']
    return Objective(logits, terms, total)


def boundary_loss(logits: tf.Tensor, boundaries: tf.Tensor, gamma: float) -> tf.Tensor:
    """Equation 2, the focal loss: −[(1 − p)^γ y log p + p^γ (1 − y) log(1 − p)], a scalar.

    Args:
        logits: of the boundary.
        boundaries: y, `[N, H, W, 1]` of 0 and 1.
        gamma: 0 makes it the cross-entropy.
    """
    logit = foreground_logit(logits)
    # −log p and −log(1 − p), finite for any logit; so are the gradients of their powers.
    of_boundary, of_others = tf.nn.softplus(-logit), tf.nn.softplus(logit)
    return tf.reduce_mean(boundaries * tf.exp(-gamma * of_others) * of_boundary +
                          (1 - boundaries) * tf.exp(-gamma * of_boundary) * of_others)


def consistency_loss(cleaner: tf.Tensor, textured: tf.Tensor, temperature: float) -> tf.Tensor:
    """Equation 6: KL(q ‖ q') T² of the softmaxes of Equation 9, a scalar.

    The cleaner image teaches: no gradient flows into q.

    Args:
        cleaner: logits of the image before texture augmentation, z.
        textured: logits of the image after it, z'.
        temperature: T.
    """
    logit = tf.stop_gradient(foreground_logit(cleaner)) / temperature
    other = foreground_logit(textured) / temperature
    q = tf.sigmoid(logit)
    # Both classes; log q − log q' = softplus(−l') − softplus(−l).
    divergence = (q * (tf.nn.softplus(-other) - tf.nn.softplus(-logit)) +
                  (1 - q) * (tf.nn.softplus(other) - tf.nn.softplus(logit)))
    return tf.reduce_mean(divergence) * temperature ** 2


def boundary_target(alphas: tf.Tensor) -> tf.Tensor:
    """The boundaries of alphas, `[N, H, W, 1]` of 0 and 1; see `draw_boundaries`."""
    boundaries = tf.numpy_function(draw_boundaries, [alphas], tf.float32)
    boundaries.set_shape(alphas.shape)
    return boundaries


def draw_boundaries(alphas: np.ndarray) -> np.ndarray:
    """Canny on the ground truth, four pixels wide at 224×224 and as wide in proportion elsewhere.

    Args:
        alphas: float32 `[N, H, W, 1]` in [0, 1].

    Returns:
        float32 of the same shape, 1 on the boundary.
    """
    width = max(1, int(round(BOUNDARY_WIDTH * alphas.shape[1])))
    masks = np.where(alphas[..., 0] > 0.5, 255, 0).astype(np.uint8)
    lines = [cv2.dilate(cv2.Canny(mask, 100, 200), np.ones([width, width])) for mask in masks]
    return np.reshape(lines, alphas.shape).astype(np.float32) / 255
