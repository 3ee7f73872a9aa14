"""Pairs to batches. Every file is decoded and resized once, and kept as 8-bit pixels."""

import hashlib
import os
import sys
from collections import OrderedDict
from multiprocessing.pool import ThreadPool
from typing import Dict, Iterator, List, Optional, Tuple, Union

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mmnet.data import decode
from mmnet.data.augment import PRESETS, augment_batch
from mmnet.data.pairs import UNREADABLE, Pair, folder_of, report_problems
from mmnet.errors import UserError


def load_pixels(pairs: List[Pair], size: int, cache_dir: Optional[str] = None,
                skip_bad_pairs: bool = False) -> np.ndarray:
    """Decodes and resizes all pairs once, with a progress bar.

    Args:
        pairs: as of `find_pairs` or `find_photos`.
        size: the side of the square that the network takes.
        cache_dir: keep the pixels in a file there, for sets larger than memory and for the next
            start; the file's name tells the pairs and the size, so that a changed dataset is read
            anew.
        skip_bad_pairs: leave pairs out whose pixels cannot be decoded.

    Returns:
        uint8 `[N, size, size, 4]`: red, green, blue, alpha; 0 for a photo without a mask.

    Raises:
        UserError: for files that cannot be decoded, and a cache that cannot be written.
    """
    if cache_dir is None:
        pixels = np.empty([len(pairs), size, size, 4], np.uint8)
        count = 0
        for count, rgba in enumerate(_decode_all(pairs, size, skip_bad_pairs), start=1):
            pixels[count - 1] = rgba
        return pixels[:count]
    path = os.path.join(cache_dir, f'{_fingerprint(pairs, size)}.rgba{size}')
    if not os.path.exists(path):
        _write_cache(path, _decode_all(pairs, size, skip_bad_pairs))
    return np.memmap(path, np.uint8, mode='r').reshape([-1, size, size, 4])


def training_dataset(pixels: np.ndarray, batch_size: int, augmentation: str = 'mmnet',
                     seed: Optional[int] = None, first_step: int = 0) -> tf.data.Dataset:
    """Endless augmented batches; every epoch holds each image once, in an order of its own.

    Args:
        pixels: as of `load_pixels`.
        batch_size: images a batch; batches run on across the end of an epoch.
        augmentation: a key of `augment.PRESETS`.
        seed: makes batches reproducible.
        first_step: where a resumed training stands, so that it does not see the first batches anew.

    Returns:
        a dataset of features and alphas `[batch_size, S, S, 1]`. The features are `images`
        `[batch_size, S, S, 3]` and, where the preset changes their texture, the same `untextured`.
        All are uint8: a quarter of the memory that floats would take while they wait. See
        `as_float`.
    """
    preset = PRESETS[augmentation]
    if seed is None:
        seed = np.random.randint(2 ** 31)
    # Cheap to shuffle and exact: only indices go through the buffer.
    indices = tf.data.Dataset.range(len(pixels)).shuffle(len(pixels), seed=seed + first_step)
    batches = indices.repeat().batch(batch_size, drop_remainder=True)
    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)

    # Defined out here, as AutoGraph would rewrite (and slow down tenfold) what `to_batch` defines.
    def augment(step: int, batch: np.ndarray) -> Tuple[np.ndarray, ...]:
        # A generator a batch: the result does not depend on which thread comes first.
        return augment_batch(pixels, batch, preset, np.random.RandomState([seed, step]))

    def to_batch(step: tf.Tensor, batch: tf.Tensor) -> Tuple[Dict[str, tf.Tensor], tf.Tensor]:
        names = ['images', 'alphas'] + ['untextured'] * (preset.texture is not None)
        tensors = OrderedDict(zip(names, tf.numpy_function(
            augment, [step, batch], [tf.uint8] * len(names))))
        size = pixels.shape[1]
        for name, tensor in tensors.items():
            tensor.set_shape([batch_size, size, size, 1 if name == 'alphas' else 3])
        alphas = tensors.pop('alphas')
        return tensors, alphas

    return (tf.data.Dataset.zip((steps, batches))
            .map(to_batch, num_parallel_calls=os.cpu_count()).prefetch(2))


def as_float(pixels: tf.Tensor) -> tf.Tensor:
    """uint8 in [0, 255] to float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) * (1 / 255)


def _decode_all(pairs: List[Pair], size: int, skip_bad_pairs: bool) -> Iterator[np.ndarray]:
    """Yields the pairs' pixels in order, decoded in threads; reports all problems at the end."""
    def attempt(pair: Pair) -> Union[np.ndarray, str]:
        path = pair.image
        try:
            image = decode.read_image(path, size)
            if pair.mask is None:
                return np.dstack([image, np.zeros([size, size], np.uint8)])
            path = pair.mask
            return np.dstack([image, decode.read_mask(path, size)])
        except UNREADABLE as error:
            return f'{path}: cannot be decoded ({error})'

    problems = []
    with ThreadPool(os.cpu_count()) as pool:
        for result in tqdm(pool.imap(attempt, pairs), total=len(pairs), desc='reading', leave=False,
                           unit=' pairs', disable=not sys.stderr.isatty()):
            if isinstance(result, str):
                problems.append(result)
            else:
                yield result
    report_problems(problems, len(pairs) - len(problems), folder_of(pairs), skip_bad_pairs)


def _fingerprint(pairs: List[Pair], size: int) -> str:
    """Changes with the set of files, their sizes and times, and the size of the pixels."""
    digest = hashlib.sha1(str(size).encode())
    for pair in pairs:
        for path in pair.files():
            stat = os.stat(path)
            digest.update(f'{os.path.abspath(path)} {stat.st_size} {stat.st_mtime_ns}\n'.encode())
    return digest.hexdigest()[:16]


def _write_cache(path: str, rows: Iterator[np.ndarray]) -> None:
    """Writes the rows to a file that gets its name only when it is whole."""
    partial = f'{path}.{os.getpid()}.partial'
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(partial, 'wb') as file:
            for row in rows:
                file.write(row.tobytes())
        os.replace(partial, path)
    except OSError as error:
        raise UserError('--cache_dir {}: cannot be written ({})'.format(
            os.path.dirname(path), error.strerror))
    finally:
        if os.path.exists(partial):
            os.remove(partial)
