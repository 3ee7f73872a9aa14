"""The common parts of the papers' losses: their input, their output, and shared terms.

Alphas are float32 `[N, H, W, 1]` in [0, 1]; logits are `[N, H, W, 2]`, channel 1 the foreground.
Every term is a mean over pixels and batch.
"""

import dataclasses
from typing import Callable, Dict, Iterable, Optional, Tuple

import tensorflow as tf

# Runs a network: takes images `[N, S, S, 3]`, returns its logits and end points.
Run = Callable[[tf.Tensor], Tuple[tf.Tensor, Dict[str, tf.Tensor]]]


@dataclasses.dataclass(frozen=True)
class Batch:
    """The images and alphas of a training step, by the names of the input's features.

    Attributes:
        images: RGB in [0, 1], `[N, S, S, 3]`.
        alphas: `[N, S, S, 1]`.
        untextured: the images before texture augmentation, where there is any.
        unlabelled: images without masks, `[M, S, S, 3]`, for a teacher.
        previous: alphas of the frames before, `[N, S, S, 1]`, for a network that takes them.
    """
    images: tf.Tensor
    alphas: tf.Tensor
    untextured: Optional[tf.Tensor] = None
    unlabelled: Optional[tf.Tensor] = None
    previous: Optional[tf.Tensor] = None


@dataclasses.dataclass(frozen=True)
class Objective:
    """The objective that training minimizes.

    Attributes:
        logits: of the batch's images, `[N, S, S, 2]`.
        terms: unweighted scalars by name.
        total: the scalar to minimize.
        reference: alphas to show beside the network's own where the batch has no ground truth.
    """
    logits: tf.Tensor
    terms: Dict[str, tf.Tensor]
    total: tf.Tensor
    reference: Optional[tf.Tensor] = None


def foreground_logit(logits: tf.Tensor) -> tf.Tensor:
    """Computes the foreground's logit minus the background's, `[N, H, W, 1]`.

    A softmax over two channels is the sigmoid of this difference.
    """
    # On a CPU, a product with [−1, 1] is many times as fast as slicing a channel, and so is its
    # gradient.
    difference = tf.matmul(tf.reshape(logits, [-1, 2]), [[-1.0], [1.0]])
    return tf.reshape(difference, tf.concat([tf.shape(logits)[:-1], [1]], axis=0))


def foreground_alpha(logits: tf.Tensor) -> tf.Tensor:
    """Computes the foreground channel of the softmax, `[N, H, W, 1]` in [0, 1]."""
    return tf.sigmoid(foreground_logit(logits))


def alpha_loss(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes the mean absolute difference of two alphas (Equation 2); returns a scalar."""
    return tf.reduce_mean(tf.abs(alpha - alpha_gt))


def compositional_loss(images: tf.Tensor, alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes the mean absolute difference of the foregrounds αI (Equation 3); returns a scalar.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`. The mean runs over the three channels, too.
        alpha, alpha_gt: `[N, H, W, 1]`.
    """
    # I is not negative: |αI − α_gt I| = I |α − α_gt|, so the channels can be averaged first.
    brightness = tf.reduce_mean(images, axis=3, keepdims=True)
    return tf.reduce_mean(brightness * tf.abs(alpha - alpha_gt))


def kl_loss(logits: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Computes the mean cross-entropy (Equation 6); returns a scalar.

    That is −[α_gt log α + (1 − α_gt) log(1 − α)]; the print lost the minus sign. With α = σ(l) it
    equals softplus(l) − α_gt l, which is stable for α near 0 and 1.
    """
    logit = foreground_logit(logits)
    return tf.reduce_mean(tf.nn.softplus(logit) - alpha_gt * logit)


def weighted_sum(terms: Dict[str, tf.Tensor], weights: Dict[str, float]) -> tf.Tensor:
    """Computes the sum of the terms times their β (Equation 10); returns a scalar."""
    return tf.add_n([weights[name] * term for name, term in terms.items()])


def weight_decay(variables: Iterable[tf.Variable], scale: float) -> tf.Tensor:
    """Computes scale/2 · Σ w² over the weights of all but depthwise convolutions; a scalar."""
    return scale * tf.add_n([tf.nn.l2_loss(variable) for variable in variables
                             if variable.op.name.endswith('/weights')])
