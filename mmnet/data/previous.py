"""The past that a network with a memory is given while it trains on stills.

The past is the ground truth, moved a little and made worse. Sometimes it is empty, or another
photo's. So the network learns to use it and not to trust it.
"""

import functools
from typing import Sequence

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

# How often the past is empty, as in a first frame, and how often it is another photo's, as after a
# cut. Otherwise it is the photo's own.
EMPTY = 0.1
OTHER = 0.1
# Limits of the motion: rotation in radians, and relative change of scale. The shift, and the bend
# at each point of the spline, are shares of the side.
TURN, SCALE, SHIFT, BEND = 0.02, 0.02, 0.015, 0.008
# Points of the thin-plate spline along a side.
POINTS = 4
# Probability of blur, and of tears: a network's own alphas have both.
DAMAGE = 0.5
BLUR = 0.012
TEARS, TEAR_SIZE = 4, 0.2


def previous_alphas(alphas: np.ndarray, others: Sequence[np.ndarray],
                    rngs: Sequence[np.random.RandomState]) -> np.ndarray:
    """Draws an alpha of the frame before for each photo of a batch.

    Args:
        alphas: ground truths, uint8 `[N, S, S, 1]`.
        others: alphas of other photos, uint8 `[S', S']`, one for each.
        rngs: each photo's source of randomness.

    Returns:
        uint8 `[N, S, S, 1]`.
    """
    return np.stack([_previous(alpha, other, rng)
                     for alpha, other, rng in zip(alphas, others, rngs)])


def _previous(alpha: np.ndarray, other: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    kind = rng.uniform()
    if kind < EMPTY:
        return np.zeros_like(alpha)
    if kind < EMPTY + OTHER:
        past = moved(cv2.resize(other, alpha.shape[:2], interpolation=cv2.INTER_AREA), rng)
    else:
        past = moved(alpha, rng)
    if rng.uniform() < DAMAGE:
        past = cv2.GaussianBlur(past, (0, 0), 1e-3 + BLUR * len(past) * rng.uniform())
    if rng.uniform() < DAMAGE:
        past = torn(past, rng)
    return past.reshape(alpha.shape)


def moved(alpha: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Moves an alpha by a small affine map and a thin-plate spline.

    Args:
        alpha: uint8 `[S, S]` or `[S, S, 1]`.
        rng: the source of all randomness.

    Returns:
        uint8 `[S, S]`.
    """
    size = len(alpha)
    turn, scale = rng.uniform(-TURN, TURN), 1 + rng.uniform(-SCALE, SCALE)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    grid = (np.mgrid[:size, :size] + 0.5)[::-1] / size - 0.5
    places = np.tensordot(linear, grid, 1) + rng.uniform(-SHIFT, SHIFT, [2, 1, 1])
    bend = rng.uniform(-BEND, BEND, [POINTS * POINTS, 2])
    places = places + spline(size).dot(bend).T.reshape(2, size, size)
    x, y = np.float32((places + 0.5) * size - 0.5)
    return cv2.remap(alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@functools.lru_cache(maxsize=None)
def spline(size: int) -> np.ndarray:
    """Computes the thin-plate spline through a grid of points, as a linear map.

    Args:
        size: side of the picture, in pixels.

    Returns:
        `[S · S, P]`, from displacements of the P points to those of all pixels.
    """
    ticks = (np.arange(POINTS) + 0.5) / POINTS
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    ticks = (np.arange(size) + 0.5) / size
    pixels = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return RBFInterpolator(points, np.eye(len(points)), kernel='thin_plate_spline')(pixels)


def torn(alpha: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Sets a few ellipses of an alpha, uint8 `[S, S]`, to foreground or background."""
    size, result = len(alpha), alpha.copy()
    for _ in range(rng.randint(1, TEARS + 1)):
        centre = tuple(int(each) for each in rng.randint(0, size, 2))
        axes = tuple(int(each) for each in 1 + TEAR_SIZE * size * rng.uniform(size=2))
        cv2.ellipse(result, centre, axes, rng.uniform(0, 180), 0, 360,
                    255 * int(rng.randint(2)), -1)
    return result
