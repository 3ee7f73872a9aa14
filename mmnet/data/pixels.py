"""Decodes and resizes photos and masks once, and keeps them as 8-bit pixels.

    pixels = load_sets(find_sets(['DATASET', 'ANOTHER'], 'train'), size=256)
"""

import contextlib
import functools
import hashlib
import os
from multiprocessing.pool import ThreadPool
from typing import (IO, Callable, Container, Iterator, List, Mapping, NamedTuple, Optional,
                    Sequence, Tuple, Union)

import numpy as np
from tqdm import tqdm

from mmnet import files
from mmnet.compositing import foreground_colours
from mmnet.data import decode
from mmnet.data.pairs import Pair, folder_of, report_problems
from mmnet.errors import UserError

# A cache's note of what it holds has the cache's name and this ending.
NOTE = '.json'
# Raise this when the reading of photos or masks changes: older caches are then built again.
READING = 2
# Photos decoded between two notes of progress.
AT_ONCE = 256


class Load(NamedTuple):
    """Photos to load: how many, the side they are resized to, and whether with foregrounds."""
    photos: int
    size: int
    foregrounds: bool


def load_sets(sets: Mapping[str, List[Pair]], size: int, cache_dir: Optional[str] = None,
              skip_bad_pairs: Optional[bool] = None,
              foregrounds: bool = False) -> List[np.ndarray]:
    """Loads the pixels of several data sets; see `load_pixels`. Each has a cache of its own.

    Args:
        sets: pairs by the name of their data set.
        size, cache_dir, skip_bad_pairs, foregrounds: see `load_pixels`.

    Raises:
        UserError: as `load_pixels`, and for sets that are together larger than memory.
    """
    if cache_dir is None:
        check_memory([Load(sum(map(len, sets.values())), size, foregrounds)])
    return [load_pixels(pairs, size, cache_dir, skip_bad_pairs, foregrounds)
            for pairs in sets.values()]


def load_pixels(pairs: List[Pair], size: int, cache_dir: Optional[str] = None,
                skip_bad_pairs: Optional[bool] = None, foregrounds: bool = False) -> np.ndarray:
    """Decodes and resizes all pairs once, with a progress bar.

    Args:
        pairs: as returned by `find_pairs` or `find_photos`.
        size: side of the square that the network takes.
        cache_dir: keep the pixels in a file there, for the next start and for sets larger than
            memory. The file's name depends on the pairs and the size, so a changed dataset is
            read again. A file beside it notes which pairs it holds. An interrupted build resumes
            where it was.
        skip_bad_pairs: leave out pairs whose pixels cannot be decoded.
        foregrounds: estimate the person's own colours, too, for new backgrounds.

    Returns:
        uint8 `[N, size, size, 4]`: red, green, blue, alpha. A photo without a mask has alpha 0.
        With foregrounds, three channels of them follow: `[N, size, size, 7]`.

    Raises:
        UserError: for files that cannot be decoded, and for a cache that cannot be written.
    """
    if cache_dir is None:
        pixels = np.empty([len(pairs), size, size, _channels(foregrounds)], np.uint8)
        count = 0
        decoded = _decode_all(pairs, size, skip_bad_pairs, foregrounds)
        for count, (_, row) in enumerate(decoded, start=1):
            pixels[count - 1] = row
        return pixels[:count]
    kind = 'rgbaf' if foregrounds else 'rgba'
    shape = (size, size, _channels(foregrounds))
    path = os.path.join(cache_dir, f'{_fingerprint(pairs, size)}.{kind}{size}')
    with contextlib.ExitStack() as stack:
        # One of several runs or workers writes; the others wait for it and read.
        try:
            stack.enter_context(files.locked(cache_dir))
        except UserError as error:
            raise UserError(f'--cache_dir {error}')
        rows = _cached_rows(path, pairs, shape)
        if rows is None or (rows < len(pairs) and not skip_bad_pairs):
            rows = _write_cache(path, int(np.prod(shape)), functools.partial(
                _decode_all, pairs, size, skip_bad_pairs, foregrounds))
    return np.memmap(path, np.uint8, mode='r', shape=(rows, *shape))


def _channels(foregrounds: bool) -> int:
    return 7 if foregrounds else 4


def check_memory(loads: Sequence[Load], workers: int = 1) -> None:
    """Refuses pixels that this machine's memory cannot hold, before they are read.

    Args:
        loads: what is loaded without a cache.
        workers: of this machine, each of which loads all of it.

    Raises:
        UserError: says how much memory is needed.
    """
    needed = workers * sum(count * size * size * _channels(foregrounds)
                           for count, size, foregrounds in loads)
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    if needed > memory:
        each = f' in each of {workers} workers' if workers > 1 else ''
        count = sum(load.photos for load in loads)
        raise UserError(f'--dataset_path: the pixels of {count} photos{each} take '
                        f'{needed / 1e9:.1f} GB, and this machine has {memory / 1e9:.1f} GB of '
                        f'memory; lower --image_size, or pass --cache_dir to keep them on disk')


def _decode_all(pairs: List[Pair], size: int, skip_bad_pairs: Optional[bool], foregrounds: bool,
                done: Container[str] = ()) -> Iterator[Tuple[Pair, np.ndarray]]:
    """Yields pairs and their pixels in order, decoded in threads; reports problems at the end.

    Pairs whose image is in `done` are left out.
    """
    def attempt(pair: Pair) -> Union[np.ndarray, str]:
        try:
            image = decode.checked(decode.read_image, pair.image, size)
            if pair.mask is None:
                return np.dstack([image, np.zeros([size, size], np.uint8)])
            mask = decode.checked(decode.read_mask, pair.mask, size)
        except UserError as error:
            return str(error)
        colours = [foreground_colours(image, mask / np.float32(255))] if foregrounds else []
        return np.dstack([image, mask, *colours])

    missing = [pair for pair in pairs if _name(pair) not in done]
    problems = []
    with ThreadPool(os.cpu_count()) as pool, tqdm(
            total=len(pairs), initial=len(pairs) - len(missing), desc='reading', leave=False,
            unit=' pairs', disable=None) as bar:
        # In parts, so that memory does not fill with photos that wait to be written.
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start:start + AT_ONCE]
            for pair, result in zip(part, pool.imap(attempt, part)):
                bar.update()
                if isinstance(result, str):
                    problems.append(result)
                else:
                    yield pair, result
    report_problems(problems, len(pairs) - len(problems), folder_of(pairs), skip_bad_pairs)


def _name(pair: Pair) -> str:
    """Names a pair in a cache's note."""
    return os.path.abspath(pair.image)


def _fingerprint(pairs: List[Pair], size: int) -> str:
    """Hashes the files' paths, sizes and times, the size of the pixels, and how they are read."""
    digest = hashlib.sha1(f'{size} {READING}'.encode())
    for pair in pairs:
        for path in pair.files():
            stat = os.stat(path)
            line = f'{os.path.abspath(path)} {stat.st_size} {stat.st_mtime_ns}\n'
            digest.update(os.fsencode(line))
    return digest.hexdigest()[:16]


def _cached_rows(path: str, pairs: List[Pair], shape: Tuple[int, ...]) -> Optional[int]:
    """Returns the rows of a cache; None if there is none, or if it is not what was written."""
    note = files.read_json(path + NOTE)
    if not isinstance(note, dict) or not os.path.isfile(path):
        return None
    held, rows = note.get('images'), note.get('rows')
    if not isinstance(held, list) or rows != len(held) or \
            not set(held) <= {_name(pair) for pair in pairs} or \
            os.path.getsize(path) != rows * np.prod(shape):
        return None
    return rows


def _write_cache(path: str, row_bytes: int,
                 decode_rest: Callable[[Container[str]], Iterator[Tuple[Pair, np.ndarray]]]) -> int:
    """Writes rows to a file that gets its name once it is whole; returns their number.

    Until then the rows are in `path.partial`, and a note of them beside it. An interrupted build
    resumes after the last row that was noted.
    """
    partial = path + '.partial'
    try:
        with open(partial, 'ab') as file:
            held = files.read_json(partial + NOTE)
            if not isinstance(held, list) or file.tell() < len(held) * row_bytes:
                held = []
            file.truncate(len(held) * row_bytes)
            for pair, row in decode_rest(set(held)):
                file.write(row.tobytes())
                held.append(_name(pair))
                if len(held) % AT_ONCE == 0:
                    _flush(file)
                    files.write_json(held, partial + NOTE)
            _flush(file)
        os.replace(partial, path)
        files.write_json({'rows': len(held), 'images': held}, path + NOTE)
        if os.path.exists(partial + NOTE):
            os.remove(partial + NOTE)
        return len(held)
    except OSError as error:
        raise UserError(f'--cache_dir {os.path.dirname(path)}: cannot be written '
                        f'({error.strerror}); free some space and run the same command again to '
                        f'resume, or delete the files that end in .partial')


def _flush(file: IO) -> None:
    """Makes rows reach the disk before the note that promises them."""
    file.flush()
    os.fsync(file.fileno())
