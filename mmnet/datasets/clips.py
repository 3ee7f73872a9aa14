"""Moving pictures with exact mattes, made of stills: people move in front of a moving background.

    for image, alpha in clip_of(person, background, rng, frames=48):
        ...

A person moves, turns, nods and sways along smooth random paths. The light changes and wanders, the
hand that holds the camera shakes, and the sensor is noisy. Every frame is Equation 1 of known
parts.
"""

import os
import shutil
from typing import Any, Callable, Iterator, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image

from mmnet import files
from mmnet.compositing import foreground_colours
from mmnet.data import decode
from mmnet.data.pairs import Pair
from mmnet.datasets.scenery import draw_background
from mmnet.datasets.synthetic import draw_portrait

FRAME_FORMAT = '{:05}.png'
# How far a person moves, as a share of the picture's width. How much they grow, and how much a turn
# narrows them, as a share of their size. How far they lean, in radians.
TRAVEL, GROWTH, TURNING, LEANING = 0.08, 0.06, 0.08, 0.06
# How far hair and clothes sway, and over what distance, in shares of the width.
SWAY, SWAY_SCALE = 0.012, 0.12
# How far the background moves, and how far a hand shakes.
PANNING, SHAKE = 0.05, 0.002
# The background is seen through a window that leaves room for its motion.
WINDOW = 0.8
# The exposure's largest change, that of the light at the sides, and the noise's deviation, of a
# value in [0, 1].
EXPOSURE, SIDE_LIGHT, NOISE = 0.15, 0.15, 0.012
# Periods of the motions, in frames: three seconds for a person in a call, at 30 frames a second.
MOVING, SWAYING, SHAKING = 90, 30, 6


def clip_of(person: np.ndarray, background: np.ndarray, rng: np.random.RandomState,
            frames: int) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Yields the frames of a clip and their alphas, uint8 `[H, W, 3]` and `[H, W]`.

    Args:
        person: float32 `[H, W, 4]`: colours times alpha, and alpha.
        background: float32 RGB in [0, 1], `[H, W, 3]`.
        rng: the source of all randomness.
        frames: to make.
    """
    height, width = person.shape[:2]
    x, y, growth, turn, lean = (
        amount * smooth_path(rng, frames, MOVING)
        for amount in (TRAVEL * width, TRAVEL * width / 2, GROWTH, TURNING, LEANING))
    pan, shake = (amount * width * np.transpose([smooth_path(rng, frames, period) for _ in 'xy'])
                  for amount, period in ((PANNING, MOVING), (SHAKE, SHAKING)))
    exposure = 1 + EXPOSURE * smooth_path(rng, frames, MOVING)
    sway = sway_field(rng, height, width)
    swaying = smooth_path(rng, frames, SWAYING)
    # The light wanders from one side to the other.
    side_light = SIDE_LIGHT * np.outer(smooth_path(rng, frames, MOVING), np.linspace(-1, 1, width))
    for frame in range(frames):
        cos, sin = np.cos(lean[frame]), np.sin(lean[frame])
        scale = np.array([(1 + growth[frame]) * (1 - abs(turn[frame])), 1 + growth[frame]])
        matrix = np.array([[cos, -sin], [sin, cos]]) / scale
        # People stand on the lower edge, so they grow and lean around its middle.
        foot = np.array([width / 2, height])
        moved = _warp(person, matrix, foot, [x[frame], y[frame]] + shake[frame],
                      swaying[frame] * sway)
        alpha = moved[..., 3:].clip(0, 1)
        behind = _warp(background, np.eye(2) * WINDOW, foot / [1, 2], pan[frame] + shake[frame])
        light = exposure[frame] + side_light[frame][:, None]
        image = light * (moved[..., :3] + (1 - alpha) * behind)
        image = image + rng.normal(0, NOISE, image.shape)
        yield (np.round(255 * image.clip(0, 1)).astype(np.uint8),
               np.round(255 * alpha[..., 0]).astype(np.uint8))


def smooth_path(rng: np.random.RandomState, frames: int, period: float) -> np.ndarray:
    """Draws a smooth curve in [−1, 1] with a frame's value at each point, `[frames]`.

    It is a sum of three sines, the slowest with this period in frames.
    """
    time = np.arange(frames) / period
    waves = [np.sin(2 * np.pi * (factor * time + rng.uniform())) for factor in (1, 1.7, 2.9)]
    return np.array([0.55, 0.3, 0.15]).dot(waves)


def sway_field(rng: np.random.RandomState, height: int, width: int) -> np.ndarray:
    """Draws where everything sways to, in pixels, float32 `[H, W, 2]`; the ground stands still."""
    cells = [max(2, int(round(side / (SWAY_SCALE * width)))) for side in (height, width)]
    field = cv2.resize(rng.uniform(-1, 1, cells + [2]).astype(np.float32), (width, height),
                       interpolation=cv2.INTER_CUBIC)
    return SWAY * width * field * np.linspace(1, 0, height, dtype=np.float32)[:, None, None]


def _warp(picture: np.ndarray, matrix: np.ndarray, centre: np.ndarray, shift: Sequence[float],
          sway: Any = 0) -> np.ndarray:
    """Moves a picture by a linear map around a centre, then by a shift and a field.

    What comes into view repeats the picture's edge, where a person that is cut off goes on.
    """
    height, width = picture.shape[:2]
    places = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    places = (places - centre - shift).dot(matrix.T) + centre + sway
    return cv2.remap(picture, places.astype(np.float32), None, cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)


def drawn_person(rng: np.random.RandomState, width: int,
                 height: int) -> Tuple[np.ndarray, np.ndarray]:
    """Draws a person and a background for `clip_of`."""
    portrait = draw_portrait(rng, width, height)
    return (np.dstack([portrait.foreground * portrait.alpha[..., None], portrait.alpha]),
            draw_background(rng, width, height))


def person_of(pair: Pair) -> np.ndarray:
    """Reads the person of a pair for `clip_of`, in the person's own colours F.

    Raises:
        UserError: names a file that cannot be read.
    """
    assert pair.mask is not None
    image = decode.checked(decode.read_image, pair.image)
    mask = decode.checked(decode.read_mask, pair.mask)
    alpha = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) / np.float32(255)
    colours = foreground_colours(image, alpha) / np.float32(255)
    return np.dstack([colours * alpha[..., None], alpha])


def write_clip(folder: str, make: Callable[[], Iterator[Tuple[np.ndarray, np.ndarray]]]) -> None:
    """Writes `<folder>/{image,mask}/frame.png`, a whole clip or nothing."""
    partial = folder + '.partial'
    shutil.rmtree(partial, ignore_errors=True)
    for kind in ('image', 'mask'):
        files.make_directory(os.path.join(partial, kind))
    for index, pictures in enumerate(make()):
        for kind, pixels in zip(('image', 'mask'), pictures):
            with files.replacing(os.path.join(partial, kind, FRAME_FORMAT.format(index))) as path:
                Image.fromarray(pixels).save(path, 'PNG')
    os.rename(partial, folder)
