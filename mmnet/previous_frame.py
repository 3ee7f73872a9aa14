"""Trains a network that takes the previous alpha on its own alphas, although photos are stills.

In a video, the previous alpha is the network's own. If it trains only on those that `data.previous`
makes from ground truth, it trusts its own mistakes.
"""

from typing import Callable

import tensorflow as tf

from mmnet.data.previous import SHIFT

# The share of previous alphas that are the network's own.
OWN = 0.5
# The largest differences between a still and the frame before it: light, as a factor, and noise.
LIGHT, NOISE = 0.1, 0.03


def mix_in_own_alphas(alpha: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor,
                      previous: tf.Tensor) -> tf.Tensor:
    """Replaces half of the previous alphas by the network's own, of a simulated previous frame.

    Args:
        alpha: the network, from images and previous alphas `[N, S, S, 4]` to alphas `[N, S, S, 1]`.
        images: RGB in [0, 1], `[N, S, S, 3]`.
        previous: alphas made from ground truth, `[N, S, S, 1]`.

    Returns:
        the previous alphas to train with, `[N, S, S, 1]`, without a gradient.
    """
    own = alpha(tf.concat([frame_before(images), previous], axis=3))
    count = images.shape.as_list()[0]
    chosen = tf.cast(tf.random_uniform([count, 1, 1, 1]) < OWN, tf.float32)
    return tf.stop_gradient(chosen * own + (1 - chosen) * previous)


def frame_before(images: tf.Tensor) -> tf.Tensor:
    """Moves RGB images in [0, 1], `[N, S, S, 3]`, by a few pixels; changes light, adds noise."""
    count, size = images.shape.as_list()[:2]
    reach = int(round(SHIFT * size))
    padded = tf.pad(images, [[0, 0], [reach, reach], [reach, reach], [0, 0]], 'SYMMETRIC')
    corner = tf.random_uniform([2], maxval=2 * reach + 1, dtype=tf.int32)
    moved = padded[:, corner[0]:corner[0] + size, corner[1]:corner[1] + size]
    light = tf.random_uniform([count, 1, 1, 1], 1 - LIGHT, 1 + LIGHT)
    noise = tf.random_uniform([count, 1, 1, 1], 0, NOISE) * tf.random_normal(tf.shape(images))
    return tf.clip_by_value(tf.reshape(moved, tf.shape(images)) * light + noise, 0, 1)
