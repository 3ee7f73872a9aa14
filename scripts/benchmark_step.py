#!/usr/bin/env python
"""Times a training step of MMNet against the authors' formulation of the same network.

The authors' formulation is that of authors.py, with TensorFlow's own gradients.
Both run in turn in one process, so that the printed ratio holds on a noisy machine.
"""

import os
import sys
import time
from typing import Callable

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from authors import authors_network  # noqa: E402  (needs the path above)
from mmnet import flags, losses, models, training  # noqa: E402

import tensorflow as tf  # noqa: E402


def authors_step(images: tf.Tensor, alphas: tf.Tensor) -> tf.Operation:
    """Their network, the same losses and optimizer, gradients as TensorFlow makes them."""
    logits, aux_logits = authors_network(images, is_training=True)
    total = _total(images, logits, aux_logits, alphas)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return tf.train.AdamOptimizer(1e-4).minimize(total)


def our_step(images: tf.Tensor, alphas: tf.Tensor) -> tf.Operation:
    """The step that train.py runs."""
    with training.fastest_gradients():
        logits, end_points = models.build('mmnet', images, is_training=True)
        total = _total(images, logits, end_points['aux_logits'], alphas)
    return training.minimize(total, 1e-4)


def _total(images: tf.Tensor, logits: tf.Tensor, aux_logits: tf.Tensor,
           alphas: tf.Tensor) -> tf.Tensor:
    terms = losses.matting_losses(images, logits, aux_logits, alphas)
    return (losses.weighted_sum(terms, dict.fromkeys(terms, 1.0)) +
            losses.weight_decay(tf.trainable_variables(), 4e-7))


def make_step(build: Callable, size: int, batch_size: int) -> Callable[[], float]:
    """A function that runs one step and returns its seconds."""
    with tf.Graph().as_default() as graph:
        tf.train.get_or_create_global_step()
        rng = np.random.RandomState(0)
        images, alphas = (tf.get_variable(name, initializer=rng.uniform(
            size=[batch_size, size, size, channels]).astype(np.float32), trainable=False)
            for name, channels in (('images', 3), ('alphas', 1)))
        step = build(tf.identity(images), tf.identity(alphas))
        session = tf.Session(graph=graph)
        session.run(tf.global_variables_initializer())

    def run() -> float:
        start = time.perf_counter()
        session.run(step)
        return time.perf_counter() - start
    return run


def main() -> int:
    parser = flags.Parser(__doc__.split('\n')[0])
    parser.add_argument('--image_size', type=flags.positive(int), nargs='+', default=[128, 256],
                        help='sizes to measure')
    parser.add_argument('--batch_size', type=flags.positive(int), default=32, help='images a step')
    parser.add_argument('--steps', type=flags.positive(int), default=10, help='steps each')
    args = parser.parse_args()
    for size in args.image_size:
        theirs = make_step(authors_step, size, args.batch_size)
        ours = make_step(our_step, size, args.batch_size)
        theirs(), ours()
        times = np.array([(theirs(), ours()) for _ in range(args.steps)])
        medians = np.median(times, axis=0)
        print('{0}×{0}: authors\' {1:.3f} s, ours {2:.3f} s, median ratio {3:.3f} '
              '({4:.3f} to {5:.3f} pair by pair)'.format(
                  size, medians[0], medians[1], medians[1] / medians[0],
                  *np.percentile(times[:, 1] / times[:, 0], [0, 100])), flush=True)
    return 0


if __name__ == '__main__':
    flags.run(main)
