"""The input of a run: the photos' pixels, and how they vary on their way into a batch.

    photos = load(find_sets(['DATASET'], 'train'), options, image_size=256)
    dataset = make_dataset(photos, options)
"""

import dataclasses
from typing import Dict, List, Mapping, Optional, Tuple

import numpy as np
import tensorflow as tf

from mmnet.cli import SEEDS
from mmnet.data.augment import PRESETS, Variation
from mmnet.data.pairs import Pair, find_photos
from mmnet.data.pipeline import training_dataset
from mmnet.data.pixels import Load, check_memory, load_sets
from mmnet.datasets.scenes import find_sources, load_scenes
from mmnet.hparams import Training
from mmnet.workers import Ranks

# Photos to be cropped are kept at this multiple of the network's size, because a crop is enlarged.
# A larger one costs memory, and time: F is estimated at this size, too.
OVERSAMPLING = 1.5


@dataclasses.dataclass(frozen=True)
class Photos:
    """The photos of a run.

    Attributes:
        pixels: of each data set, as `load_sets` returns them.
        variation: what happens to each photo.
        unlabelled: pixels of photos without masks; may be empty.
    """
    pixels: List[np.ndarray]
    variation: Variation
    unlabelled: List[np.ndarray]

    def __len__(self) -> int:
        return sum(map(len, self.pixels))


def load(sets: Mapping[str, List[Pair]], options: Training, image_size: int,
         cache_dir: Optional[str] = None, skip_bad_pairs: Optional[bool] = None,
         previous_alpha: bool = False, workers: int = 1) -> Photos:
    """Reads the photos of a run and its backgrounds.

    Args:
        sets: pairs, or photos without masks, by the name of their data set.
        options: of the training.
        image_size: side of the square that the network takes.
        cache_dir, skip_bad_pairs: see `load_pixels`.
        previous_alpha: whether the network has a memory.
        workers: of this machine; without a cache, each of them loads the pixels.

    Raises:
        UserError: for photos that cannot be read, and for a lack of memory.
    """
    # Folders first: reading the photos may take long.
    sources = find_sources(options.backgrounds or (), skip_bad_pairs)
    folders = {path: find_photos(path, skip_bad_pairs, '--unlabelled')
               for path in options.unlabelled or ()}
    size = int(image_size * (OVERSAMPLING if options.framing else 1))
    if cache_dir is None:
        check_memory([Load(sum(map(len, sets.values())), size, bool(options.backgrounds)),
                      Load(sum(map(len, folders.values())), image_size, False)], workers)
    pixels = load_sets(sets, size, cache_dir, skip_bad_pairs, bool(options.backgrounds))
    backgrounds, probability = None, 0.0
    if options.backgrounds:
        probability = options.background_probability
        backgrounds = load_scenes(sources, pixels, size, options.seed or 0,
                                  skip_bad_pairs)
    variation = Variation(PRESETS[options.augmentation], image_size, options.framing,
                          options.zoom_out, backgrounds, probability, previous_alpha)
    return Photos(pixels, variation, load_sets(folders, image_size, cache_dir, skip_bad_pairs))


def make_dataset(photos: Photos, options: Training, first_step: int = 0,
                 ranks: Ranks = Ranks()) -> tf.data.Dataset:
    """Makes the endless batches of a run; see `training_dataset`.

    With photos without masks, the features also hold `unlabelled`, uint8 `[M, S, S, 3]`.
    """
    dataset = training_dataset(photos.pixels, options.batch_size, photos.variation, options.seed,
                               first_step, options.dataset_weights, ranks)
    if not photos.unlabelled:
        return dataset
    # Nobody knows where people are in these, so they keep their frames and backgrounds.
    variation = Variation(photos.variation.preset)
    # With the same seed, each unlabelled photo would be augmented as the labelled one at its place.
    seed = None if options.seed is None else (options.seed + 1) % SEEDS
    unlabelled = training_dataset(photos.unlabelled, options.unlabelled_batch_size, variation,
                                  seed, first_step, ranks=ranks)

    def merge(labelled: Tuple[Dict[str, tf.Tensor], tf.Tensor],
              others: Tuple[Dict[str, tf.Tensor], tf.Tensor]):
        features, alphas = labelled
        return {**features, 'unlabelled': others[0]['images']}, alphas
    return tf.data.Dataset.zip((dataset, unlabelled)).map(merge)
