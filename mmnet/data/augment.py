"""Augmentation presets: MMNet's (Section 3) and PortraitNet's (Section 4.2 of its paper).

A deformation moves image and mask together in one warp. A texture changes only the image.
"""

import dataclasses
from typing import Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageEnhance

from mmnet.data.backgrounds import replace_background

# MMNet's largest scale and rotation, and the probability of a rotation and of a flip.
MMNET_MAX_SCALE = 1.15
MMNET_MAX_ROTATION = np.radians(15)
MMNET_PROBABILITY = 0.5

# PortraitNet's ranges, and the probability of each change.
PORTRAITNET_SCALES = (0.5, 1.5)
PORTRAITNET_MAX_ROTATION = np.radians(45)
PORTRAITNET_MAX_SHIFT = 0.25
PORTRAITNET_PROBABILITY = 0.5
NOISE = 10.0
BLUR_KERNELS = (3, 5)
# Pillow's factors: 1 leaves the image alone; 0 makes it grey, black, flat or smooth.
ENHANCEMENTS = [(ImageEnhance.Color, 0.4, 1.7), (ImageEnhance.Brightness, 0.4, 1.7),
                (ImageEnhance.Contrast, 0.6, 1.5), (ImageEnhance.Sharpness, 0.8, 1.3)]
# Beyond a photo's borders: ImageNet's mean colour, which PortraitNet normalizes to 0, and alpha 0.
OUTSIDE = (124, 117, 104, 0)

# Channels of a photo that carries F.
IMAGE_AND_ALPHA = (0, 1, 2, 3)
FOREGROUND_AND_ALPHA = (4, 5, 6, 3)

# A frame's side is at least this share of the photo's, and HEAD_MARGIN times that of the head, the
# top HEAD of the visible person.
SMALLEST_FRAME = 0.35
HEAD = 0.35
HEAD_MARGIN = 1.25
# The largest side of a frame that holds all of a photo, in units of the photo's side.
LARGEST_FRAME = 3.0


class Frame(NamedTuple):
    """A square part of a photo: the upper left corner and the side, in units of the photo's side.
    """
    x: float
    y: float
    side: float


WHOLE = Frame(0.0, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Preset:
    """How training images vary.

    Attributes:
        transform: draws a matrix, as `mmnet_transform` does.
        border: OpenCV's border mode, for what lies beyond a photo.
        texture: changes an image `[S, S, 3]`; None changes nothing.
    """
    transform: Callable[[np.random.RandomState, int], np.ndarray]
    border: int
    texture: Optional[Callable[[np.ndarray, np.random.RandomState], np.ndarray]] = None


def augment_batch(photos: Sequence[np.ndarray], variation: 'Variation',
                  rngs: Sequence[np.random.RandomState]) -> Tuple[np.ndarray, ...]:
    """Augments photos, each by a transform of its own; its mask moves with it.

    Args:
        photos: B of them, uint8 `[S', S', 4]`: red, green, blue, alpha. With new backgrounds, the
            person's own colours F follow, `[S', S', 7]`.
        variation: how they vary.
        rngs: each photo's source of randomness.

    Returns:
        images `[B, S, S, 3]` and alphas `[B, S, S, 1]`, uint8. If the preset changes textures, the
        untextured images come third.
    """
    # tf.data augments several batches at once; OpenCV's own threads would compete with them.
    cv2.setNumThreads(1)
    size = variation.size or photos[0].shape[0]
    deformed = np.empty([len(photos), size, size, 3], np.uint8)
    alphas = np.empty([len(photos), size, size, 1], np.uint8)
    for photo, rng, image, alpha in zip(photos, rngs, deformed, alphas):
        cv2.mixChannels([deform(photo, variation, size, rng)], [image, alpha],
                        [0, 0, 1, 1, 2, 2, 3, 3])
    texture = variation.preset.texture
    if texture is None:
        return deformed, alphas
    textured = np.stack([texture(image, rng) for image, rng in zip(deformed, rngs)])
    return textured, alphas, deformed


def deform(photo: np.ndarray, variation: 'Variation', size: int,
           rng: np.random.RandomState) -> np.ndarray:
    """Warps a photo together with its mask; may put the person on a new background.

    Args:
        photo: uint8 `[S', S', 4]` or `[S', S', 7]`; see `augment_batch`.
        variation: how photos vary.
        size: S, the side of the result in pixels.
        rng: the source of all randomness.

    Returns:
        uint8 `[S, S, 4]`: red, green, blue, alpha.
    """
    recomposed = happens(variation.background_probability, rng)
    channels = FOREGROUND_AND_ALPHA if recomposed else IMAGE_AND_ALPHA
    source, border, frame = four_channels(photo, channels), variation.preset.border, WHOLE
    # Only a new background extends beyond the photo, so only then may the photo shrink.
    if recomposed and happens(variation.zoom_out, rng):
        border, frame = cv2.BORDER_CONSTANT, random_zoom_out(rng)
    elif happens(variation.framing, rng):
        frame = random_frame(photo[..., 3], rng)
    source = halved(source, frame.side * len(source) / size)
    transform = in_frame(variation.preset.transform(rng, size), frame, size, len(source))
    warped = cv2.warpAffine(source, transform, (size, size),
                            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                            borderMode=border, borderValue=OUTSIDE)
    if not recomposed:
        return warped
    assert variation.backgrounds is not None
    return replace_background(warped, variation.backgrounds, rng)


def four_channels(photo: np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """Picks four channels of a photo; warpAffine takes no more. NumPy would need ten times as long.
    """
    picked = np.empty(photo.shape[:2] + (4,), np.uint8)
    cv2.mixChannels([photo], [picked], [each for pair in zip(channels, range(4)) for each in pair])
    return picked


def happens(probability: float, rng: np.random.RandomState) -> bool:
    """Returns True with this probability; a probability of 0 draws no random number."""
    return probability > 0 and rng.uniform() < probability


def random_frame(alpha: np.ndarray, rng: np.random.RandomState) -> Frame:
    """Draws a square part of a photo, from the whole picture to head and shoulders.

    The upper third of the person, the head, stays inside, so the person never leaves the frame.

    Args:
        alpha: uint8 `[S', S']`.
        rng: the source of all randomness.

    Returns:
        the frame; `WHOLE` for a photo without a person.
    """
    person, size = alpha > 127, alpha.shape[0]
    rows = np.flatnonzero(person.any(axis=1))
    if not len(rows):
        return WHOLE
    top, bottom = rows[0], rows[-1] + 1
    chin = top + max(1, int(round(HEAD * (bottom - top))))
    columns = np.flatnonzero(person[top:chin].any(axis=0))
    left, right, top, chin = np.array([columns[0], columns[-1] + 1, top, chin]) / size
    smallest = max(SMALLEST_FRAME, HEAD_MARGIN * max(right - left, chin - top))
    side = rng.uniform(min(smallest, 1), 1)

    def corner(low: float, high: float) -> float:
        """Places the frame along an axis so that it holds [low, high] and lies in the photo."""
        first, last = max(0.0, high - side), min(low, 1 - side)
        return float(np.clip(rng.uniform(min(first, last), max(first, last)), 0, 1 - side))
    return Frame(corner(left, right), corner(top, chin), side)


def random_zoom_out(rng: np.random.RandomState) -> Frame:
    """Draws a frame that holds all of a photo and has up to `LARGEST_FRAME` times its side."""
    side = LARGEST_FRAME ** rng.uniform()
    x, y = rng.uniform(1 - side, 0, size=2)
    return Frame(x, y, side)


def halved(photo: np.ndarray, scale: float) -> np.ndarray:
    """Halves a photo `[S', S', C]` until a warp that shrinks it by `scale` skips no pixels."""
    while scale >= 2 and len(photo) > 1:
        half = len(photo) // 2
        photo, scale = cv2.resize(photo, (half, half), interpolation=cv2.INTER_AREA), scale / 2
    return photo


def in_frame(transform: np.ndarray, frame: Frame, size: int, photo_size: int) -> np.ndarray:
    """Makes a transform show a frame of a photo instead of a picture of the result's size.

    Args:
        transform: `[2, 3]`, as `mmnet_transform` draws it.
        frame: as `random_frame` draws it.
        size: side of the result in pixels.
        photo_size: side of the photo in pixels.

    Returns:
        `[2, 3]`, from pixel coordinates of the result to those of the photo.
    """
    scale = frame.side * photo_size / size
    # Pixel i covers [i, i + 1], so its centre lies at i + 0.5.
    moved = scale * transform
    moved[:, 2] += np.array([frame.x, frame.y]) * photo_size + (scale - 1) * 0.5
    return moved


def mmnet_transform(rng: np.random.RandomState, size: int) -> np.ndarray:
    """Draws one of MMNet's transforms, which show no pixel from beyond the image.

    The scale factor is uniform in [1, 1.15]. A rotated image is enlarged further where its corners
    would come into view. The crop is placed uniformly within the image.

    Returns:
        `[2, 3]`, from pixel coordinates (x, y, 1) of the result to those of the source.
    """
    scale = rng.uniform(1, MMNET_MAX_SCALE)
    rotated = rng.uniform() < MMNET_PROBABILITY
    angle = rng.uniform(-MMNET_MAX_ROTATION, MMNET_MAX_ROTATION) if rotated else 0.0
    flip = -1 if rng.uniform() < MMNET_PROBABILITY else 1

    # In the source, the crop is a square of side 1/scale, turned by the angle. Its bounding box is
    # cos + |sin| times as large and must fit. The unit of length is the image's side.
    extent = np.cos(angle) + abs(np.sin(angle))
    scale = max(scale, extent)
    centre = 0.5 + rng.uniform(-0.5, 0.5, size=2) * (1 - extent / scale)
    return _similarity(size, angle, scale, flip, centre)


def portraitnet_transform(rng: np.random.RandomState, size: int) -> np.ndarray:
    """Draws one of PortraitNet's transforms: flip, rotation, resizing, translation.

    Pixels from beyond the image may come into view.

    Returns:
        a matrix, as `mmnet_transform` does.
    """
    flip, rotated, resized, moved = rng.uniform(size=4) < PORTRAITNET_PROBABILITY
    angle = rng.uniform(-PORTRAITNET_MAX_ROTATION, PORTRAITNET_MAX_ROTATION) if rotated else 0.0
    scale = rng.uniform(*PORTRAITNET_SCALES) if resized else 1.0
    shift = (rng.uniform(-PORTRAITNET_MAX_SHIFT, PORTRAITNET_MAX_SHIFT, size=2) if moved
             else np.zeros(2))
    return _similarity(size, angle, scale, -1 if flip else 1, 0.5 + shift)


def _similarity(size: int, angle: float, scale: float, flip: int,
                centre: np.ndarray) -> np.ndarray:
    """Returns the matrix `[2, 3]` that shows the source around a centre, in units of its side."""
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) / scale * [flip, 1]
    # Pixel i covers [i, i + 1], so its centre lies at i + 0.5.
    offset = size * (centre - linear.dot([0.5, 0.5])) + linear.dot([0.5, 0.5]) - 0.5
    return np.hstack([linear, offset[:, np.newaxis]])


def portraitnet_texture(image: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Applies PortraitNet's textures: noise, blur, colour, brightness, contrast, sharpness.

    Args:
        image: uint8 RGB `[S, S, 3]`.
        rng: the source of all randomness.

    Returns:
        uint8 RGB `[S, S, 3]`.
    """
    noisy, blurred = rng.uniform(size=2) < PORTRAITNET_PROBABILITY
    if noisy:
        # This generator is several times as fast as RandomState's own normal numbers.
        normal = np.random.default_rng(rng.randint(2 ** 31)).standard_normal(
            image.shape, dtype=np.float32)
        image = np.round(image + NOISE * normal).clip(0, 255).astype(np.uint8)
    if blurred:
        kernel = int(rng.choice(BLUR_KERNELS))
        image = cv2.GaussianBlur(image, (kernel, kernel), 0)
    picture = Image.fromarray(image)
    for enhance, low, high in ENHANCEMENTS:
        if rng.uniform() < PORTRAITNET_PROBABILITY:
            picture = enhance(picture).enhance(rng.uniform(low, high))
    return np.asarray(picture)


PRESETS: Dict[str, Preset] = {
    'mmnet': Preset(mmnet_transform, cv2.BORDER_REPLICATE),
    'mmnet_texture': Preset(mmnet_transform, cv2.BORDER_REPLICATE, portraitnet_texture),
    'portraitnet_deformation': Preset(portraitnet_transform, cv2.BORDER_CONSTANT),
    'portraitnet': Preset(portraitnet_transform, cv2.BORDER_CONSTANT, portraitnet_texture),
}


@dataclasses.dataclass(frozen=True)
class Variation:
    """What happens to a training photo on its way into a batch.

    Attributes:
        preset: transform and texture.
        size: side of the result in pixels; None keeps the photos' own.
        framing: probability of a frame between the whole picture and head and shoulders.
        zoom_out: probability that a person on a new background is shown smaller.
        backgrounds: uint8 RGB `[M, S', S', 3]`, as large as the photos.
        background_probability: how often a person is put on one of them.
        previous: whether each photo comes with an alpha of the frame before.
    """
    preset: Preset = PRESETS['mmnet']
    size: Optional[int] = None
    framing: float = 0.0
    zoom_out: float = 0.0
    backgrounds: Optional[np.ndarray] = None
    background_probability: float = 0.0
    previous: bool = False
