#!/usr/bin/env python
"""Times training by several workers of this machine against one process that has all its cores.

Every run takes the same number of generated photos in a step. The runs alternate, so the printed
ratios hold on a noisy machine. Input and the exchange of gradients are also timed separately:

    scripts/setup.sh --horovod && .venv/bin/python scripts/benchmark_workers.py --workers 2
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Dict, List

from mmnet import cli
from mmnet.errors import UserError

with cli.starting():
    import numpy as np
    import tensorflow as tf
    from tqdm import tqdm

    from mmnet import flags, inputs, losses, models, training, workers
    from mmnet.data.augment import PRESETS, Variation
    from mmnet.graph import as_float, build_objective
    from mmnet.hparams import HParams, Training, defaults_of

HOROVODRUN = os.path.join(os.path.dirname(sys.executable), 'horovodrun')
# Generated photos; how many there are does not matter for speed.
PHOTOS = 256
# Batches that the pipeline may have ready before the clock starts.
READY = 2 + (os.cpu_count() or 1)


def measure(args) -> None:
    """Times this worker's steps, and writes the figures if it is the first one."""
    ranks = workers.start()
    spec = models.network_spec('mmnet')
    hparams = HParams('mmnet', spec.settings(width_multiplier=args.width_multiplier),
                      spec.objective_settings(), dataclasses.replace(
                          Training(), seed=1, batch_size=args.batch_size // ranks.size,
                          learning_rate=defaults_of('mmnet')['learning_rate']),
                      image_size=args.image_size)
    size = args.image_size
    pixels = np.random.RandomState(0).randint(0, 256, [PHOTOS, size, size, 4], np.uint8)
    photos = inputs.Photos([pixels], Variation(PRESETS[hparams.training.augmentation]), [])
    batch = tf.data.make_one_shot_iterator(inputs.make_dataset(
        photos, hparams.training, ranks=ranks)).get_next()
    features, alphas = batch
    tf.train.get_or_create_global_step()
    with training.fastest_gradients():
        objective = build_objective(losses.Batch(as_float(features['images']), as_float(alphas)),
                                    hparams, is_training=True)
    step = training.minimize(objective.total, hparams.training.learning_rate, ranks=ranks)
    exchanged = [*tf.trainable_variables(), *training.moving_statistics()]
    exchange = tf.group(*(ranks.mean(each.read_value()).op for each in exchanged))

    with tf.Session(config=ranks.session_config()) as session:
        session.run(tf.global_variables_initializer())

        def seconds(operation: tf.Operation) -> float:
            times = []
            for _ in range(READY + args.steps):
                start = time.perf_counter()
                session.run(operation)
                times.append(time.perf_counter() - start)
            return float(np.mean(times[READY:]))
        figures = {'step': seconds(step), 'exchange': seconds(exchange),
                   'input': seconds(tf.group(alphas)),
                   'bytes': sum(4 * each.shape.num_elements() for each in exchanged)}
    if ranks.first:
        with open(args.measure, 'w') as file:
            json.dump(figures, file)


def run(count: int, arguments: List[str]) -> Dict[str, float]:
    """Measures training by `count` workers in processes of their own.

    Raises:
        UserError: if one of them fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, 'figures.json')
        launcher = [HOROVODRUN, '-np', str(count), '-H', f'localhost:{count}'] * (count > 1)
        ended = subprocess.run(
            [*launcher, sys.executable, os.path.abspath(__file__), *arguments, '--measure', path],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        if ended.returncode:
            print(ended.stdout, file=sys.stderr)
            raise UserError(f'--workers {count}: failed with status {ended.returncode}; see above')
        with open(path) as file:
            return json.load(file)


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('--workers', type=cli.positive(int), nargs='+', default=[2],
                        help='numbers of workers to compare with one process')
    parser.add_argument('--image_size', type=cli.positive(int), default=128,
                        help='side of the square photos')
    parser.add_argument('--width_multiplier', type=cli.positive(float), default=1.0,
                        help='of MMNet')
    parser.add_argument('--batch_size', type=cli.positive(int), default=32,
                        help='photos in a step of all workers together')
    parser.add_argument('--steps', type=cli.positive(int), default=10, help='steps in a turn')
    parser.add_argument('--turns', type=cli.positive(int), default=3, help='turns of each')
    parser.add_argument('--measure', metavar='FILE', help='be one of the workers: time the steps '
                        'and write the figures to this file')
    args = parser.parse_args()
    if args.measure:
        measure(args)
        return 0
    flags.check_image_size('mmnet', args.image_size, models.network_spec('mmnet').settings())
    counts = [1, *(each for each in args.workers if each > 1)]
    for count in counts:
        if args.batch_size % count:
            raise UserError(f'--batch_size {args.batch_size}: cannot be shared by {count} workers; '
                            f'choose a multiple')
    if len(counts) > 1 and not os.path.exists(HOROVODRUN):
        raise UserError('Horovod is not installed here; run scripts/setup.sh --horovod')
    turns = []
    for _ in tqdm(range(args.turns), desc='measuring', unit=' turns', disable=None):
        turns.append([run(count, sys.argv[1:]) for count in counts])
    print(f'MMNet-{args.width_multiplier:g}, {args.image_size}×{args.image_size}, '
          f'{args.batch_size} photos a step, {os.cpu_count()} cores\n'
          f'workers  photos/s  ratio  input photos/s  exchange ms  exchanged bytes')
    alone = np.array([turn[0]['step'] for turn in turns])
    for index, count in enumerate(counts):
        def median(name: str) -> float:
            return float(np.median([turn[index][name] for turn in turns]))
        ratio = np.median(alone / [turn[index]['step'] for turn in turns])
        print(f'{count:7}  {args.batch_size / median("step"):8.1f}  {ratio:5.2f}  '
              f'{args.batch_size / median("input"):14.0f}  {1000 * median("exchange"):11.1f}  '
              f'{int(median("bytes")) * (count > 1):15}', flush=True)
    return 0


if __name__ == '__main__':
    cli.run(main)
