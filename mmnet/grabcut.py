"""Graph cut, the classical baseline of Figure 5: OpenCV's GrabCut from an automatic trimap.

Nobody marks the person. The trimap is certain where nearly all training masks agree; elsewhere the
majority of the masks is a first guess.
"""

from typing import Optional, Sequence

import cv2
import numpy as np

from mmnet.data.pairs import find_sets
from mmnet.data.pixels import load_sets
from mmnet.errors import UserError
from mmnet.runtime import Predictor

# Shares of the training masks at which a pixel is certain.
BACKGROUND, FOREGROUND = 0.05, 0.95
ITERATIONS = 5
# Side of the square that GrabCut works on by default.
SIZE = 256


def predictor(dataset_paths: Sequence[str]) -> Predictor:
    """Makes a predictor of GrabCut at its default size, from the training masks; see `trimap`."""
    labels = trimap(dataset_paths, 'train', SIZE)
    return Predictor(SIZE, lambda image: alpha(image, labels))


def trimap(dataset_paths: Sequence[str], split: str, size: int,
           skip_bad_pairs: Optional[bool] = None) -> np.ndarray:
    """Makes GrabCut's starting labels from the masks of a split.

    Args:
        dataset_paths, split: see `find_sets`.
        size: side of the square that GrabCut works on.
        skip_bad_pairs: skip files that cannot be read or paired.

    Returns:
        uint8 `[size, size]`; see `prior_labels`.

    Raises:
        UserError: for bad files, unless they are skipped, and for masks that are all the same.
    """
    sets = find_sets(dataset_paths, split, skip_bad_pairs)
    masks = [pixels[..., 3] > 127
             for pixels in load_sets(sets, size, skip_bad_pairs=skip_bad_pairs)]
    labels = prior_labels(np.concatenate(masks).mean(axis=0))
    if not {cv2.GC_BGD, cv2.GC_FGD} <= set(np.unique(labels)):
        raise UserError(f'{", ".join(dataset_paths)}: the masks in {split} are all the same, so '
                        f'they do not show where people are; name another split')
    return labels


def prior_labels(prior: np.ndarray) -> np.ndarray:
    """Turns a prior into OpenCV's labels: certain and probable background and foreground.

    Args:
        prior: share of the masks that have foreground at each pixel, `[H, W]` in [0, 1].

    Returns:
        uint8 `[H, W]`. If no pixel is certain, the most and the least likely ones are taken.
    """
    labels = np.where(prior > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    labels[prior <= max(BACKGROUND, prior.min())] = cv2.GC_BGD
    labels[prior >= min(FOREGROUND, prior.max())] = cv2.GC_FGD
    return labels.astype(np.uint8)


def alpha(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cuts a person out with hard edges.

    Args:
        image: uint8 RGB `[S, S, 3]`.
        labels: uint8 `[S, S]`, as returned by `trimap`.

    Returns:
        float32 `[S, S, 1]`, 0 or 1.
    """
    # GrabCut's colour mixtures start from random clusters.
    cv2.setRNGSeed(0)
    result = labels.copy()
    cv2.grabCut(image[..., ::-1].copy(), result, None, np.zeros([1, 65]), np.zeros([1, 65]),
                ITERATIONS, cv2.GC_INIT_WITH_MASK)
    foreground = (result == cv2.GC_FGD) | (result == cv2.GC_PR_FGD)
    return foreground[..., np.newaxis].astype(np.float32)
