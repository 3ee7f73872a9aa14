"""Graph cuts as the classical baseline of Figure 5: OpenCV's GrabCut from an automatic trimap.

Nobody marks the person: where nearly all masks of a training split agree, the trimap is certain;
in between, what most of them have is a first guess.
"""

import os

import cv2
import numpy as np

from mmnet.data.pairs import find_pairs
from mmnet.data.pipeline import load_pixels
from mmnet.errors import UserError

# The parts of the training masks that make a pixel certain.
BACKGROUND, FOREGROUND = 0.05, 0.95
ITERATIONS = 5
# The side of the square that it works on, if nothing else is asked for.
SIZE = 256


def trimap(dataset_path: str, split: str, size: int, skip_bad_pairs: bool = False) -> np.ndarray:
    """What GrabCut starts from, made of the masks of a split.

    Args:
        dataset_path, split: as of `find_pairs`.
        size: the side of the square that GrabCut works on.
        skip_bad_pairs: go on without files that cannot be read or paired.

    Raises:
        UserError: for bad files, unless they are skipped, and for masks that are all alike.
    """
    pairs = find_pairs(dataset_path, split, skip_bad_pairs)
    masks = load_pixels(pairs, size, skip_bad_pairs=skip_bad_pairs)[..., 3] > 127
    labels = labels_of(masks.mean(axis=0))
    if not {cv2.GC_BGD, cv2.GC_FGD} <= set(np.unique(labels)):
        raise UserError('{}: its masks are alike all over and say nothing of where people are; '
                        'name another split'.format(os.path.join(dataset_path, split)))
    return labels


def labels_of(prior: np.ndarray) -> np.ndarray:
    """OpenCV's labels: certain and probable background and foreground.

    Args:
        prior: how many of the masks have foreground at each pixel, `[H, W]` in [0, 1].

    Returns:
        uint8 `[H, W]`. Where people stand anywhere, so that nothing is certain, the most and the
        least likely pixels are.
    """
    labels = np.where(prior > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    labels[prior <= max(BACKGROUND, prior.min())] = cv2.GC_BGD
    labels[prior >= min(FOREGROUND, prior.max())] = cv2.GC_FGD
    return labels.astype(np.uint8)


def alpha(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The hard alpha of a photo.

    Args:
        image: uint8 RGB `[S, S, 3]`.
        labels: as of `trimap`.

    Returns:
        float32 `[S, S, 1]` of 0 and 1.
    """
    # GrabCut's mixtures of colours start from random clusters.
    cv2.setRNGSeed(0)
    result = labels.copy()
    cv2.grabCut(image[..., ::-1].copy(), result, None, np.zeros([1, 65]), np.zeros([1, 65]),
                ITERATIONS, cv2.GC_INIT_WITH_MASK)
    foreground = (result == cv2.GC_FGD) | (result == cv2.GC_PR_FGD)
    return foreground[..., np.newaxis].astype(np.float32)
