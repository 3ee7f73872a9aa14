#!/usr/bin/env python
"""Times a training step of MMNet against the authors' formulation of the same network.

The authors' formulation is in mmnet/models/authors.py; it has TensorFlow's own gradients. Both run
in turn in one process, so the printed ratio holds on a noisy machine.
"""

import time
from typing import Callable

from mmnet import cli

with cli.starting():
    import numpy as np
    import tensorflow as tf

    from mmnet import flags, losses, models, training
    from mmnet.models.authors import authors_network


def authors_step(images: tf.Tensor, alphas: tf.Tensor) -> tf.Operation:
    """Builds a step of their network: our losses and optimizer, TensorFlow's gradients."""
    logits, aux_logits = authors_network(images, is_training=True)
    total = _total(images, logits, aux_logits, alphas)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return tf.train.AdamOptimizer(1e-4).minimize(total)


def our_step(images: tf.Tensor, alphas: tf.Tensor) -> tf.Operation:
    """Builds the step that train.py runs."""
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
    """Makes a function that runs one step and returns its seconds."""
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
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('--image_size', type=cli.positive(int), nargs='+', default=[128, 256],
                        help='sizes to measure')
    parser.add_argument('--batch_size', type=cli.positive(int), default=32, help='images in a step')
    parser.add_argument('--steps', type=cli.positive(int), default=10, help='steps of each')
    args = parser.parse_args()
    for size in args.image_size:
        flags.check_image_size('mmnet', size, models.network_spec('mmnet').settings())
    for size in args.image_size:
        theirs = make_step(authors_step, size, args.batch_size)
        ours = make_step(our_step, size, args.batch_size)
        theirs(), ours()
        times = np.array([(theirs(), ours()) for _ in range(args.steps)])
        medians = np.median(times, axis=0)
        ratios = times[:, 1] / times[:, 0]
        print(f'{size}×{size}: authors\' {medians[0]:.3f} s, ours {medians[1]:.3f} s, median ratio '
              f'{medians[1] / medians[0]:.3f} ({ratios.min():.3f} to {ratios.max():.3f} pair by '
              f'pair)', flush=True)
    return 0


if __name__ == '__main__':
    cli.run(main)
