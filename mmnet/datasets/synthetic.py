"""Draws portraits with exact alpha mattes, hair included, for training without photos.

    portrait = draw_portrait(np.random.RandomState(0), width=192, height=256)

Every layer of a person has a colour and a coverage. So alpha, foreground and background are known
exactly, and the image is Equation 1 of them.
"""

import dataclasses

import cv2
import numpy as np

from mmnet.datasets.canvas import SUPERSAMPLING, Canvas, draw_lamp
from mmnet.datasets.people import paint_person
from mmnet.datasets.scenery import draw_background


@dataclasses.dataclass(frozen=True)
class Portrait:
    """A drawn photo and its parts, float32 in [0, 1].

    Attributes:
        image: alpha * foreground + (1 - alpha) * background, `[H, W, 3]`.
        alpha: `[H, W]`.
        foreground: the person's own colours, black where alpha is 0, `[H, W, 3]`.
        background: `[H, W, 3]`.
    """
    image: np.ndarray
    alpha: np.ndarray
    foreground: np.ndarray
    background: np.ndarray


def draw_portrait(rng: np.random.RandomState, width: int, height: int) -> Portrait:
    """Draws a random person on a random background.

    Args:
        rng: the source of all randomness.
        width, height: of the image, in pixels.

    Returns:
        the image and its parts. The parts include the camera's noise, so Equation 1 holds exactly.
    """
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    person = Canvas(*size, light=draw_lamp(rng))
    paint_person(person, rng)
    premultiplied, alpha, background = (
        cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA)
        for each in (person.premultiplied, person.alpha, draw_background(rng, *size)))

    if rng.uniform() < 0.5:     # a lens that is slightly out of focus
        sigma = rng.uniform(0.3, 0.8)
        premultiplied, alpha = (cv2.GaussianBlur(each, (0, 0), sigma)
                                for each in (premultiplied, alpha))
    foreground = premultiplied / np.maximum(alpha, 1e-3)[..., None]
    # Alphas within half an 8-bit step of 0 or 1 become 0 or 1.
    alpha[alpha < 1 / 510] = 0
    alpha[alpha > 1 - 1 / 510] = 1
    exposure = rng.uniform(0.8, 1.15)
    noise = rng.normal(0, rng.uniform(0.005, 0.03), background.shape)
    foreground = np.where(alpha[..., None] > 0, (foreground * exposure + noise).clip(0, 1), 0)
    background = (background * exposure + noise).clip(0, 1)
    image = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    return Portrait(*(each.astype(np.float32) for each in (image, alpha, foreground, background)))


def draw_photos(count: int, size: int) -> np.ndarray:
    """Draws the portraits of the seeds 0 to count − 1: uint8 RGB `[count, size, size, 3]`."""
    portraits = (draw_portrait(np.random.RandomState(seed), size, size) for seed in range(count))
    return np.stack([np.round(255 * portrait.image).astype(np.uint8) for portrait in portraits])
