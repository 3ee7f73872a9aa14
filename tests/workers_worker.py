"""Takes three steps of training: `workers_worker.py OUT.npz`, by one process or by horovodrun.

Not a test itself. Batch norm is frozen, so two ranks of four images must equal one of eight.
"""

import sys

import numpy as np
import tensorflow as tf

from mmnet import graph, hparams, losses, training, workers

SIZE, IMAGES, STEPS = 32, 8, 3


def main(target):
    ranks = workers.start()
    run = hparams.HParams.from_json({
        'format': 3, 'model': 'mmnet', 'image_size': SIZE, 'network': {'width_multiplier': 0.5},
        'training': {}})
    rng = np.random.RandomState(0)
    images = rng.uniform(size=[STEPS, IMAGES, SIZE, SIZE, 3]).astype(np.float32)
    alphas = rng.uniform(size=[STEPS, IMAGES, SIZE, SIZE, 1]).astype(np.float32)
    count = IMAGES // ranks.size
    mine = slice(ranks.rank * count, (ranks.rank + 1) * count)
    # Ranks start from different weights; they must receive those of rank 0.
    tf.set_random_seed(1 + ranks.rank)
    tf.train.get_or_create_global_step()
    batch = [tf.placeholder(tf.float32, [count, SIZE, SIZE, channels]) for channels in (3, 1)]
    objective = graph.build_objective(losses.Batch(*batch), run, is_training=False)
    # Gradients of 1, so that Adam's normalization hides no factor.
    optimizer, tf.train.AdamOptimizer = tf.train.AdamOptimizer, tf.train.GradientDescentOptimizer
    tf.train.GradientDescentOptimizer.GATE_NONE = optimizer.GATE_NONE
    step = training.minimize(objective.total, 0.01, ranks=ranks)
    with tf.train.MonitoredSession(hooks=ranks.hooks()) as session:
        for index in range(STEPS):
            session.run(step, dict(zip(batch, (images[index, mine], alphas[index, mine]))))
        values = session.run({each.op.name: each for each in tf.model_variables()})
    # The others' values may be of another type.
    shared = ranks.share({'rank': 0, 'text': 'α'} if ranks.first else None)
    if ranks.first:
        np.savez(target, **{name.replace('/', '|'): value for name, value in values.items()},
                 size=ranks.size, shared=shared['rank'])


if __name__ == '__main__':
    main(sys.argv[1])
