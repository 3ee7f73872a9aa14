"""The augmentation of Section 3: scaling, rotation, cropping and left-right flip in one warp."""

from typing import Tuple

import cv2
import numpy as np

MAX_SCALE = 1.15
MAX_ROTATION = np.radians(15)
ROTATION_PROBABILITY = 0.5
FLIP_PROBABILITY = 0.5

# tf.data runs batches in parallel; OpenCV's own threads would only fight over the cores.
cv2.setNumThreads(1)


def augment_batch(pixels: np.ndarray, indices: np.ndarray,
                  rng: np.random.RandomState) -> Tuple[np.ndarray, np.ndarray]:
    """Augments some images, each with a transform of its own; its mask moves with it.

    Args:
        pixels: uint8 `[N, S, S, 4]`: red, green, blue, alpha.
        indices: of the images to take, `[B]`.
        rng: the source of all randomness.

    Returns:
        images `[B, S, S, 3]` and alphas `[B, S, S, 1]`, uint8.
    """
    size = pixels.shape[1]
    images = np.empty([len(indices), size, size, 3], np.uint8)
    alphas = np.empty([len(indices), size, size, 1], np.uint8)
    for index, image, alpha in zip(indices, images, alphas):
        rgba = cv2.warpAffine(pixels[index], random_transform(rng, size), (size, size),
                              flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REPLICATE)
        cv2.mixChannels([rgba], [image, alpha], [0, 0, 1, 1, 2, 2, 3, 3])
    return images, alphas


def random_transform(rng: np.random.RandomState, size: int) -> np.ndarray:
    """Draws a transform that shows no pixel from outside the image.

    The scale factor is uniform in [1, 1.15]; a rotated image is scaled further where its corners
    would come into view. The crop is placed uniformly where it stays inside the image.

    Returns:
        `[2, 3]`, from pixel coordinates (x, y, 1) of the result to those of the source.
    """
    scale = rng.uniform(1, MAX_SCALE)
    rotated = rng.uniform() < ROTATION_PROBABILITY
    angle = rng.uniform(-MAX_ROTATION, MAX_ROTATION) if rotated else 0.0
    flip = -1 if rng.uniform() < FLIP_PROBABILITY else 1

    # In the source the crop is a square, turned by the angle, of side 1/scale; its bounding box
    # is cos + |sin| times as large and has to fit. Lengths are in units of the image's side.
    cos, sin = np.cos(angle), np.sin(angle)
    extent = cos + abs(sin)
    scale = max(scale, extent)
    centre = 0.5 + rng.uniform(-0.5, 0.5, size=2) * (1 - extent / scale)

    linear = np.array([[cos, -sin], [sin, cos]]) / scale * [flip, 1]
    # Pixel i covers [i, i + 1]: its centre lies at i + 0.5.
    offset = size * (centre - linear.dot([0.5, 0.5])) + linear.dot([0.5, 0.5]) - 0.5
    return np.hstack([linear, offset[:, np.newaxis]])
