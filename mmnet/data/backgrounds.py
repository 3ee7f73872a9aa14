"""New backgrounds for training photos: Equation 1 with the person's own colours F.

A network that always sees the same people in the same rooms learns the rooms. So people change
rooms here. Their light and colour are adapted a little, so that a mismatch does not mark the edge.
"""

import cv2
import numpy as np

from mmnet.compositing import composite

# The share of a background's side that is seen at least.
SMALLEST_VIEW = 0.5
# A person's colours are multiplied by the ratio of the mean colours, to a power of at most FITTING,
# within FACTORS.
FITTING = 0.5
FACTORS = (0.6, 1.6)
# Keeps ratios of dark colours small, in steps of 255.
DARK = 32
# Pixels around a person that keep some of the person's colours.
HALO = 5


def replace_background(person: np.ndarray, backgrounds: np.ndarray,
                       rng: np.random.RandomState) -> np.ndarray:
    """Puts a person on a random background (Equation 1).

    Args:
        person: uint8 `[S, S, 4]`: F and alpha.
        backgrounds: uint8 RGB `[M, S', S', 3]`.
        rng: the source of all randomness.

    Returns:
        uint8 `[S, S, 4]`: red, green, blue, alpha.
    """
    scene = backgrounds[rng.randint(len(backgrounds))]
    background = random_view(scene, person.shape[0], rng)
    alpha = person[..., 3]
    foreground = fit_light(person[..., :3], alpha, background, rng.uniform(0, FITTING))
    return np.dstack([composite(foreground, alpha / np.float32(255), background), alpha])


def random_view(picture: np.ndarray, size: int, rng: np.random.RandomState) -> np.ndarray:
    """Shows a random square part of a picture `[S', S', 3]`, mirrored half of the time.

    Returns:
        `[size, size, 3]`.
    """
    side = max(1, int(round(picture.shape[0] * rng.uniform(SMALLEST_VIEW, 1))))
    x, y = rng.randint(0, picture.shape[0] - side + 1, 2)
    part = picture[y:y + side, x:x + side]
    if rng.uniform() < 0.5:
        part = part[:, ::-1]
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR)


def fit_light(foreground: np.ndarray, alpha: np.ndarray, background: np.ndarray,
              strength: float) -> np.ndarray:
    """Moves the mean colour of a person towards that of a background.

    Args:
        foreground, background: uint8 RGB `[H, W, 3]`.
        alpha: uint8 `[H, W]`.
        strength: 0 changes nothing; 1 makes the means equal, within `FACTORS`.

    Returns:
        uint8 RGB `[H, W, 3]`.
    """
    mask = (alpha > 127).astype(np.uint8)
    if not mask.any():
        return foreground
    ours, theirs = (np.array(cv2.mean(each, within)[:3])
                    for each, within in ((foreground, mask), (background, None)))
    factors = (((theirs + DARK) / (ours + DARK)) ** strength).clip(*FACTORS)
    table = np.round(np.arange(256)[:, np.newaxis] * factors).clip(0, 255).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(foreground), table[:, np.newaxis])


def empty_scene(photo: np.ndarray) -> np.ndarray:
    """Removes the person from a photo: smooth colours from around fill the place.

    Args:
        photo: uint8 `[S, S, 4]` or more channels: red, green, blue, alpha.

    Returns:
        uint8 RGB `[S, S, 3]`.
    """
    person = cv2.dilate(photo[..., 3], np.ones([HALO, HALO], np.uint8))
    known = 1 - person[..., np.newaxis] / np.float32(255)
    return np.round(_filled(photo[..., :3] * known, known)).clip(0, 255).astype(np.uint8)


def _filled(colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fills what is not known from half the resolution, and that from a quarter, and so on.

    Args:
        colours: float32 `[H, W, 3]`, multiplied by `known`.
        known: float32 `[H, W, 1]` in [0, 1].
    """
    height, width = known.shape[:2]
    if max(height, width) == 1:
        return colours / np.maximum(known, 1e-3)
    half = (max(1, width // 2), max(1, height // 2))
    small = cv2.resize(np.dstack([colours, known]), half, interpolation=cv2.INTER_AREA)
    small = small.reshape(half[1], half[0], 4)
    rough = cv2.resize(_filled(small[..., :3], small[..., 3:]), (width, height),
                       interpolation=cv2.INTER_LINEAR)
    return colours + (1 - known) * rough.reshape(height, width, 3)
