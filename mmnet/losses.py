"""The loss of Section 2.2: five terms, each a mean over pixels and batch, and weight decay.

Alphas are float32 `[N, H, W, 1]` in [0, 1]; logits `[N, H, W, 2]`, channel 1 the foreground.
"""

from collections import OrderedDict
from typing import Callable, Dict, Iterable, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow as tf

# Equation 7: S, and beside it its transpose.
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8
GRADIENT_FILTERS = np.stack([SOBEL, SOBEL.T], axis=-1)[:, :, np.newaxis, :]
# Runs a network: images `[N, S, S, 3]` to its logits and end points.
Run = Callable[[tf.Tensor], Tuple[tf.Tensor, Dict[str, tf.Tensor]]]


class Batch(NamedTuple):
    """What a network is trained on."""
    images: tf.Tensor       # RGB in [0, 1], [N, S, S, 3]
    alphas: tf.Tensor       # [N, S, S, 1]
    untextured: Optional[tf.Tensor] = None      # the images before texture augmentation, if any


class Objective(NamedTuple):
    """What training minimizes, and what that is made of."""
    logits: tf.Tensor               # of the batch's images, [N, S, S, 2]
    terms: Dict[str, tf.Tensor]     # scalars by name, unweighted
    total: tf.Tensor                # a scalar
    reference: Optional[tf.Tensor] = None   # alphas to show beside, where the batch has none


def foreground_logit(logits: tf.Tensor) -> tf.Tensor:
    """The logit of the foreground against the background, `[N, H, W, 1]`.

    A softmax over two channels is the sigmoid of their difference.
    """
    # A product with [−1, 1] is many times as fast on a CPU as slices of one channel, and so is its
    # gradient.
    difference = tf.matmul(tf.reshape(logits, [-1, 2]), [[-1.0], [1.0]])
    return tf.reshape(difference, tf.concat([tf.shape(logits)[:-1], [1]], axis=0))


def foreground_alpha(logits: tf.Tensor) -> tf.Tensor:
    """The softmax's foreground channel, `[N, H, W, 1]` in [0, 1]."""
    return tf.sigmoid(foreground_logit(logits))


def alpha_loss(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Equation 2: mean absolute difference of the alphas, a scalar."""
    return tf.reduce_mean(tf.abs(alpha - alpha_gt))


def compositional_loss(images: tf.Tensor, alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Equation 3: mean absolute difference of the foreground pixels αI, a scalar.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`; the mean is over its three channels too.
    """
    # |αI − α_gt I| = I |α − α_gt| as I is not negative; the channels are averaged first.
    brightness = tf.reduce_mean(images, axis=3, keepdims=True)
    return tf.reduce_mean(brightness * tf.abs(alpha - alpha_gt))


def kl_loss(logits: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Equation 6: mean cross-entropy −[α_gt log α + (1 − α_gt) log(1 − α)], a scalar.

    The print lost the minus sign. With α the sigmoid of l it is softplus(l) − α_gt l, which is
    stable for α near 0 and 1.
    """
    logit = foreground_logit(logits)
    return tf.reduce_mean(tf.nn.softplus(logit) - alpha_gt * logit)


def gradient_loss(alpha: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """Equation 8: mean absolute difference of the two derivatives S∗A and Sᵀ∗A, a scalar.

    The borders are padded with zeros.
    """
    # The filters are linear: the difference of the derivatives is that of the difference.
    return tf.reduce_mean(tf.abs(
        tf.nn.conv2d(alpha - alpha_gt, GRADIENT_FILTERS, strides=1, padding='SAME')))


def auxiliary_loss(aux_logits: tf.Tensor, alpha_gt: tf.Tensor) -> tf.Tensor:
    """L_aux: Equation 6 between the auxiliary logits and α_gt at their size, a scalar."""
    size = aux_logits.shape.as_list()[1:3]
    return kl_loss(aux_logits, tf.image.resize_nearest_neighbor(alpha_gt, size))


def matting_losses(images: tf.Tensor, logits: tf.Tensor, aux_logits: Optional[tf.Tensor],
                   alpha_gt: tf.Tensor) -> Dict[str, tf.Tensor]:
    """The terms of Equation 10, unweighted, by name; without `auxiliary` where no head has one."""
    alpha = foreground_alpha(logits)
    terms = OrderedDict([
        ('alpha', alpha_loss(alpha, alpha_gt)),
        ('compositional', compositional_loss(images, alpha, alpha_gt)),
        ('kl', kl_loss(logits, alpha_gt)),
        ('gradient', gradient_loss(alpha, alpha_gt)),
    ])
    if aux_logits is not None:
        terms['auxiliary'] = auxiliary_loss(aux_logits, alpha_gt)
    return terms


def matting_objective(run: Run, batch: Batch, alpha_loss_weight: float = 1.0,
                      compositional_loss_weight: float = 1.0, kl_loss_weight: float = 1.0,
                      gradient_loss_weight: float = 1.0,
                      auxiliary_loss_weight: float = 1.0) -> Objective:
    """Equation 10.

    Args:
        run: runs the network.
        batch: what it is trained on.
        alpha_loss_weight: β of Equation 2.
        compositional_loss_weight: β of Equation 3.
        kl_loss_weight: β of Equation 6.
        gradient_loss_weight: β of Equation 8.
        auxiliary_loss_weight: β of Equation 6 between the auxiliary logits and a smaller α_gt.
    """
    weights = {'alpha': alpha_loss_weight, 'compositional': compositional_loss_weight,
               'kl': kl_loss_weight, 'gradient': gradient_loss_weight,
               'auxiliary': auxiliary_loss_weight}
    logits, end_points = run(batch.images)
    terms = matting_losses(batch.images, logits, end_points.get('aux_logits'), batch.alphas)
    return Objective(logits, terms, weighted_sum(terms, weights))


def weighted_sum(terms: Dict[str, tf.Tensor], weights: Dict[str, float]) -> tf.Tensor:
    """Equation 10: the sum of the terms times their β, a scalar."""
    return tf.add_n([weights[name] * term for name, term in terms.items()])


def weight_decay(variables: Iterable[tf.Variable], scale: float) -> tf.Tensor:
    """L2 decay, scale/2 · Σ w², of every convolution's weights but the depthwise ones, a scalar."""
    return scale * tf.add_n([tf.nn.l2_loss(variable) for variable in variables
                             if variable.op.name.endswith('/weights')])
