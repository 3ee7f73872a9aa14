"""Backgrounds to put people on: drawn ones, those of other pairs, and folders of photos."""

from typing import Iterable, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from tqdm import tqdm

from mmnet.data.backgrounds import empty_scene
from mmnet.data.pairs import Pair, find_photos
from mmnet.data.pixels import load_pixels
from mmnet.datasets.scenery import draw_background

# Sources that are not folders.
DRAWN, PAIRS = 'drawn', 'pairs'
# At most this many scenes of each source are kept in memory.
MOST = 500


def find_sources(sources: Sequence[str],
                 skip_bad_pairs: Optional[bool] = None) -> List[Tuple[str, List[Pair]]]:
    """Finds the photos of each source that is a folder; other sources have none.

    Args:
        sources: `drawn`, `pairs` for those of the training photos themselves, or folders of photos.
        skip_bad_pairs: leave out photos that cannot be read; see `find_pairs`.

    Raises:
        UserError: for a folder without photos, and for bad ones.
    """
    return [(source, [] if source in (DRAWN, PAIRS) else
             find_photos(source, skip_bad_pairs, '--backgrounds')) for source in sources]


def load_scenes(sources: Sequence[Tuple[str, List[Pair]]], pixels: Sequence[np.ndarray], size: int,
                seed: int, skip_bad_pairs: Optional[bool] = None) -> np.ndarray:
    """Collects backgrounds from all sources.

    Args:
        sources: as `find_sources` returns them.
        pixels: of the data sets, as returned by `load_sets`.
        size: side of the square, in pixels.
        seed: makes the choice reproducible.
        skip_bad_pairs: leave out photos that cannot be read; see `find_pairs`.

    Returns:
        uint8 RGB `[M, size, size, 3]`, at most `MOST` of each source.

    Raises:
        UserError: for photos that cannot be decoded.
    """
    rng = np.random.RandomState(seed)
    return np.concatenate([_scenes(source, photos, pixels, size, rng, skip_bad_pairs)
                           for source, photos in sources])


def _scenes(source: str, photos: List[Pair], pixels: Sequence[np.ndarray], size: int,
            rng: np.random.RandomState, skip_bad_pairs: Optional[bool]) -> np.ndarray:
    if source == DRAWN:
        return np.stack([_drawn(size, rng) for _ in _bar(range(MOST), 'drawing backgrounds')])
    if source == PAIRS:
        owners = [(each, row) for each in pixels for row in range(len(each))]
        chosen = rng.permutation(len(owners))[:MOST]
        return np.stack([empty_scene(owners[index][0][owners[index][1]])
                         for index in _bar(chosen, 'emptying backgrounds')])
    chosen = sorted(rng.permutation(len(photos))[:MOST])
    return load_pixels([photos[index] for index in chosen], size,
                       skip_bad_pairs=skip_bad_pairs)[..., :3]


def _drawn(size: int, rng: np.random.RandomState) -> np.ndarray:
    # Drawn twice as large and averaged, as the people of drawn portraits are.
    drawn = draw_background(rng, 2 * size, 2 * size)
    return np.round(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA).clip(0, 1) * 255
                    ).astype(np.uint8)


def _bar(items: Sequence, text: str) -> Iterable:
    return tqdm(items, desc=text, leave=False, unit=' pictures', disable=None)
