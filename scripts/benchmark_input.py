#!/usr/bin/env python
"""Times the input pipeline against a plain one that decodes and resizes in every epoch.

The plain pipeline is the first version that anybody would write: tf.data decodes each JPEG and PNG,
resizes, and augments with TensorFlow's own ops. Both run in turn in one process.
"""

import math
import os
import time
from typing import List

from mmnet import cli

with cli.starting():
    import numpy as np
    import tensorflow as tf

    from mmnet.data.augment import MMNET_MAX_ROTATION, MMNET_MAX_SCALE
    from mmnet.data.pairs import Pair, find_sets
    from mmnet.data.pipeline import training_dataset
    from mmnet.data.pixels import load_sets


def plain_dataset(pairs: List[Pair], size: int, batch_size: int) -> tf.data.Dataset:
    """Makes a dataset that decodes, resizes, scales, rotates, crops and flips in every epoch."""
    def read(path: tf.Tensor, channels: int) -> tf.Tensor:
        pixels = tf.io.decode_image(tf.io.read_file(path), channels, expand_animations=False)
        return tf.image.resize(pixels, [size, size], method='bilinear')

    def example(image_path: tf.Tensor, mask_path: tf.Tensor):
        rgba = tf.concat([read(image_path, 3), read(mask_path, 1)], axis=2) / 255
        scale = tf.random.uniform([], 1, MMNET_MAX_SCALE)
        scaled = tf.cast(size * scale, tf.int32)
        rgba = tf.image.resize_images(rgba, [scaled, scaled])
        angle = tf.where(tf.random.uniform([]) < 0.5,
                         tf.random.uniform([], -MMNET_MAX_ROTATION, MMNET_MAX_ROTATION), 0.0)
        rgba = tf.contrib.image.rotate(rgba, angle, interpolation='BILINEAR')
        # The largest upright square without empty corners, back at the scaled size.
        keep = 1 / (tf.cos(angle) + tf.abs(tf.sin(angle)))
        box = tf.stack([(1 - keep) / 2, (1 - keep) / 2, (1 + keep) / 2, (1 + keep) / 2])
        rgba = tf.image.crop_and_resize(rgba[tf.newaxis], box[tf.newaxis], [0],
                                        tf.stack([scaled, scaled]))[0]
        rgba = tf.image.random_flip_left_right(tf.random_crop(rgba, [size, size, 4]))
        return rgba[..., :3], rgba[..., 3:]

    paths = tf.data.Dataset.from_tensor_slices(
        ([pair.image for pair in pairs], [pair.mask for pair in pairs]))
    return (paths.shuffle(len(pairs)).repeat().map(example, num_parallel_calls=os.cpu_count())
            .batch(batch_size, drop_remainder=True).prefetch(2))


class Reader:
    """Reads batches from a dataset."""

    def __init__(self, dataset: tf.data.Dataset, batch_size: int):
        self._batch_size = batch_size
        iterator = tf.data.make_initializable_iterator(dataset)
        # Running the operation leaves the batch inside TensorFlow, as a training step would.
        self._batch = iterator.get_next()[1].op
        self._session = tf.Session()
        self._session.run(iterator.initializer)

    def images_per_second(self, batches: int) -> float:
        start = time.perf_counter()
        for _ in range(batches):
            self._session.run(self._batch)
        return batches * self._batch_size / (time.perf_counter() - start)

    def close(self) -> None:
        self._session.close()


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    cli.add_data_flags(parser, split='train')
    parser.add_argument('--image_size', type=cli.positive(int), nargs='+', default=[128, 256],
                        help='sizes to measure')
    parser.add_argument('--batch_size', type=cli.positive(int), default=32,
                        help='images in a batch')
    parser.add_argument('--images', type=cli.positive(int), default=1000,
                        help='images in each of five turns')
    args = parser.parse_args()
    sets = find_sets(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs)
    pairs = [pair for found in sets.values() for pair in found]
    for size in args.image_size:
        pixels = load_sets(sets, size, skip_bad_pairs=args.skip_bad_pairs)
        speeds = []
        for _ in range(5):
            # Each has the cores to itself: an open dataset goes on prefetching.
            turn = []
            for dataset in (plain_dataset(pairs, size, args.batch_size),
                            training_dataset(pixels, args.batch_size)):
                reader = Reader(dataset, args.batch_size)
                reader.images_per_second(5)
                turn.append(reader.images_per_second(math.ceil(args.images / args.batch_size)))
                reader.close()
            speeds.append(turn)
        plain, ours = np.median(speeds, axis=0)
        print(f'{size}×{size}: plain {plain:.0f} images/s, ours {ours:.0f} images/s, '
              f'{ours / plain:.1f} times', flush=True)
    return 0


if __name__ == '__main__':
    cli.run(main)
