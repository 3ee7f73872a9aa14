"""Distillation: another network's alphas as a second ground truth, with or without a mask."""

import tensorflow as tf

from mmnet.losses.base import alpha_loss, foreground_alpha, kl_loss


def distillation_loss(logits: tf.Tensor, alpha_teacher: tf.Tensor,
                      confidence: float) -> tf.Tensor:
    """Computes Equations 2 and 6 with a teacher's alphas as the truth; returns a scalar.

    Photos that the teacher is not sure of do not count; without any other, the loss is 0.

    Args:
        logits: of the student, `[N, H, W, 2]`.
        alpha_teacher: `[N, H, W, 1]`.
        confidence: the mean of |2α − 1| that a teacher's alpha needs.
    """
    sure = tf.reduce_mean(tf.abs(2 * alpha_teacher - 1), axis=[1, 2, 3]) >= confidence
    # The mean over no photo would be NaN, in the gradients too.
    return tf.cond(tf.reduce_any(sure), lambda: _loss(
        tf.boolean_mask(logits, sure), tf.boolean_mask(alpha_teacher, sure)), lambda: 0.0)


def _loss(logits: tf.Tensor, alpha_teacher: tf.Tensor) -> tf.Tensor:
    return alpha_loss(foreground_alpha(logits), alpha_teacher) + kl_loss(logits, alpha_teacher)
