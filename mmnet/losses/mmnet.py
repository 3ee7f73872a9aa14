"""MMNet's loss (Section 2.2): the weighted sum of five terms.

Equations 2, 3 and 6 are in `base`; this file adds the gradient loss, the auxiliary loss and their
sum, Equation 10. Alphas are `[N, H, W, 1]` in [0, 1].
"""

import dataclasses
from typing import Dict, Optional

import numpy as np
import tensorflow as tf

from mmnet.losses.base import (Batch, Objective, Run, alpha_loss, compositional_loss,
                               foreground_alpha, kl_loss, weighted_sum)
from mmnet.settings import Settings, setting

# Equation 7: the filter S and its transpose.
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8
GRADIENT_FILTERS = np.stack([SOBEL, SOBEL.T], axis=-1)[:, :, np.newaxis, :]


@dataclasses.dataclass(frozen=True)
class Weights(Settings):
    """The weights β of Equation 10."""
    alpha_loss_weight: float = setting(1.0, 'weight of the alpha loss (Equation 2)', minimum=0)
    compositional_loss_weight: float = setting(
        1.0, 'weight of the compositional loss (Equation 3)', minimum=0)
    kl_loss_weight: float = setting(1.0, 'weight of the cross-entropy (Equation 6)', minimum=0)
    gradient_loss_weight: float = setting(
        1.0, 'weight of the gradient loss (Equation 8)', minimum=0)
    auxiliary_loss_weight: float = setting(
        1.0, 'weight of the auxiliary head\'s cross-entropy', minimum=0)


def gradient_loss(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes how far the derivatives S∗A and Sᵀ∗A of two alphas differ; returns a scalar.

    It is the mean absolute difference of Equations 8 and 9. Zeros pad the borders.
    """
    # The filters are linear: the difference of the derivatives is that of the difference.
    return tf.reduce_mean(tf.abs(
        tf.nn.conv2d(alpha - alpha_gt, GRADIENT_FILTERS, strides=1, padding='SAME')))


def auxiliary_loss(aux_logits: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes L_aux, the cross-entropy of the auxiliary logits; returns a scalar.

    Args:
        aux_logits: `[N, H/16, W/16, 2]`.
        alpha_gt: `[N, H, W, 1]`; the nearest pixels of the smaller size count.
    """
    size = aux_logits.shape.as_list()[1:3]
    return kl_loss(aux_logits, tf.image.resize_nearest_neighbor(alpha_gt, size))


def matting_losses(images: tf.Tensor, logits: tf.Tensor, aux_logits: Optional[tf.Tensor],
                   alpha_gt: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Computes the unweighted terms of Equation 10 by name.

    Networks without an auxiliary head have no term `auxiliary`.
    """
    alpha = foreground_alpha(logits)
    terms = {
        'alpha': alpha_loss(alpha, alpha_gt),
        'compositional': compositional_loss(images, alpha, alpha_gt),
        'kl': kl_loss(logits, alpha_gt),
        'gradient': gradient_loss(alpha, alpha_gt),
    }
    if aux_logits is not None:
        terms['auxiliary'] = auxiliary_loss(aux_logits, alpha_gt)
    return terms


def objective(run: Run, batch: Batch, weights: Weights) -> Objective:
    """Runs the network and computes Equation 10."""
    logits, end_points = run(batch.images)
    terms = matting_losses(batch.images, logits, end_points.get('aux_logits'), batch.alphas)
    total = weighted_sum(terms, {
        'alpha': weights.alpha_loss_weight, 'compositional': weights.compositional_loss_weight,
        'kl': weights.kl_loss_weight, 'gradient': weights.gradient_loss_weight,
        'auxiliary': weights.auxiliary_loss_weight})
    return Objective(logits, terms, total)
