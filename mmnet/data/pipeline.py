"""From pixels to batches.

    dataset = training_dataset(load_sets(find_sets(['DATASET'], 'train'), size=256), batch_size=32)
"""

import os
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from mmnet.data.augment import Variation, augment_batch
from mmnet.data.previous import previous_alphas
from mmnet.workers import Ranks

# Tensors of a batch that have one channel.
ALPHAS = ('alphas', 'previous')


def training_dataset(pixels: List[np.ndarray], batch_size: int,
                     variation: Variation = Variation(), seed: Optional[int] = None,
                     first_step: int = 0,
                     weights: Optional[Sequence[float]] = None,
                     ranks: Ranks = Ranks()) -> tf.data.Dataset:
    """Makes endless augmented batches of the union of data sets, or of a mixture.

    Every epoch of the union holds each image once, in an order of its own. In a mixture, the same
    is true of every set, and sets are drawn by their weights. Ranks share one order and split every
    batch, so N ranks with B images each see the same images as one rank with N·B.

    Args:
        pixels: as returned by `load_sets`.
        batch_size: images in a rank's batch; batches run on across the end of an epoch.
        variation: what happens to each photo.
        seed: makes batches reproducible.
        first_step: where a resumed run starts, so that it does not see the first batches again.
        weights: relative share of each set's images; None weights all images equally.
        ranks: that train together. They need a seed in common.

    Returns:
        a dataset of features and alphas `[batch_size, S, S, 1]`. The features are `images`
        `[batch_size, S, S, 3]`. If the preset changes textures, `untextured` has the images before
        that. If the network has a memory, `previous` has alphas `[batch_size, S, S, 1]`. All are
        uint8, a quarter of the memory that waiting floats would take; see `graph.as_float`.
    """
    if seed is None:
        seed = np.random.randint(2 ** 31)
    sizes = [len(each) for each in pixels]
    ends = np.cumsum(sizes)
    starts = ends - sizes
    batches = _indices(starts, ends, weights, seed + first_step).batch(
        batch_size * ranks.size, drop_remainder=True)
    first = batch_size * ranks.rank
    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)

    def photo(index: int) -> np.ndarray:
        owner = np.searchsorted(ends, index, side='right')
        return pixels[owner][index - starts[owner]]

    # Defined outside of `to_batch`: AutoGraph would rewrite it there and slow it down tenfold.
    def augment(step: int, whole: np.ndarray) -> Tuple[np.ndarray, ...]:
        places = range(first, first + batch_size)
        photos = [photo(index) for index in whole[places]]
        # A generator for each image: the result depends neither on threads nor on ranks.
        rngs = [np.random.RandomState([seed, step, place]) for place in places]
        tensors = augment_batch(photos, variation, rngs)
        if not variation.previous:
            return tensors
        others = [photo(whole[place - 1])[..., 3] for place in places]
        return (*tensors, previous_alphas(tensors[1], others, rngs))

    def to_batch(step: tf.Tensor, batch: tf.Tensor) -> Tuple[Dict[str, tf.Tensor], tf.Tensor]:
        names = ['images', 'alphas']
        if variation.preset.texture is not None:
            names.append('untextured')
        if variation.previous:
            names.append('previous')
        tensors = dict(zip(names, tf.numpy_function(
            augment, [step, batch], [tf.uint8] * len(names))))
        size = variation.size or pixels[0].shape[1]
        for name, tensor in tensors.items():
            tensor.set_shape([batch_size, size, size, 1 if name in ALPHAS else 3])
        alphas = tensors.pop('alphas')
        return tensors, alphas

    return (tf.data.Dataset.zip((steps, batches))
            .map(to_batch, num_parallel_calls=os.cpu_count()).prefetch(2))


def _indices(starts: np.ndarray, ends: np.ndarray, weights: Optional[Sequence[float]],
             seed: int) -> tf.data.Dataset:
    """Makes endless indices into the union of the sets, or into a mixture by weight."""
    if weights is None:
        return _shuffled(0, ends[-1], seed)
    return tf.data.experimental.sample_from_datasets(
        [_shuffled(start, end, seed) for start, end in zip(starts, ends)],
        np.divide(weights, np.sum(weights)), seed)


def _shuffled(start: int, end: int, seed: int) -> tf.data.Dataset:
    """Makes an endless dataset of indices; every epoch has an order of its own."""
    # Shuffling is exact and cheap: only indices go through the buffer.
    return tf.data.Dataset.range(start, end).shuffle(end - start, seed=seed).repeat()
