"""Equation 1 in both directions: the person's own colours, and composites.

    colours = foreground_colours(image, alpha)
    result = composite(colours, alpha, background)
"""

import contextlib
import signal
import threading
from typing import Iterator

import cv2
import numpy as np


def foreground_colours(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Estimates F of Equation 1: the person's colours where the background shows through.

    Uses PyMatting's multi-level estimation.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        alpha: float32 `[H, W]` in [0, 1].

    Returns:
        uint8 RGB `[H, W, 3]`.
    """
    if alpha.size == 1:     # PyMatting expects neighbours.
        return image
    with _interrupts_deferred():
        # Most runs of most programs do without PyMatting, which takes a second to import.
        from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml
        foreground = estimate_foreground_ml(image.astype(np.float32) / 255,
                                            alpha.astype(np.float32))
    return np.round(foreground.clip(0, 1) * 255).astype(np.uint8)


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Delays Ctrl-C until the end: numba's compiled code and its compiler crash on it."""
    handler = signal.getsignal(signal.SIGINT)
    # Without a handler of Python's, Ctrl-C ends the process at once or does nothing.
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    arrived = []
    signal.signal(signal.SIGINT, lambda number, frame: arrived.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if arrived:
        # The handler from before decides: it may want to end a camera's recording whole.
        handler(*arrived[-1])


def composite(foreground: np.ndarray, alpha: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Computes αF + (1 − α)B (Equation 1).

    Args:
        foreground, background: RGB from 0 to 255, `[H, W, 3]` or one colour `[3]`.
        alpha: float32 `[H, W]` in [0, 1].

    Returns:
        uint8 RGB `[H, W, 3]`.
    """
    shape = alpha.shape + (3,)
    front, behind = (np.ascontiguousarray(np.broadcast_to(each, shape), np.uint8)
                     for each in (foreground, background))
    weight = np.ascontiguousarray(alpha, np.float32)
    # Seven times as fast as NumPy, which needs several arrays of floats.
    return cv2.blendLinear(front, behind, weight, 1 - weight)


def cut_out(foreground: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Makes a transparent picture; where the alpha is 0, nothing of the photo is left.

    Args:
        foreground: uint8 RGB `[H, W, 3]`.
        alpha: float32 `[H, W]` in [0, 1].

    Returns:
        uint8 RGBA `[H, W, 4]`.
    """
    coverage = cv2.convertScaleAbs(alpha, alpha=255)
    colours = cv2.copyTo(np.ascontiguousarray(foreground), coverage)
    return np.dstack([colours, coverage])


def blurred_background(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blurs the photo's own background, without the person's colours in it.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        alpha: float32 `[H, W]` in [0, 1].

    Returns:
        uint8 RGB `[H, W, 3]`.
    """
    height, width = alpha.shape
    # Blurring a small picture and enlarging it is as smooth and much faster.
    scale = 256 / max(height, width)
    size = (max(1, int(round(width * scale))), max(1, int(round(height * scale))))
    small, weight = (cv2.resize(each, size, interpolation=cv2.INTER_AREA)
                     for each in (image, 1 - alpha))
    weight = np.maximum(weight, 1e-3)[..., np.newaxis].astype(np.float32)
    weighted = cv2.GaussianBlur(np.dstack([small * weight, weight]), (0, 0), 6)
    blurred = np.round((weighted[..., :3] / weighted[..., 3:]).clip(0, 255)).astype(np.uint8)
    return cv2.resize(blurred, (width, height))
