"""Pictures: strips for TensorBoard, and picture files."""

import os
from typing import Optional

import numpy as np
import tensorflow as tf
from PIL import Image

from mmnet import files
from mmnet.errors import UserError

FORMATS = {'.jpg': 'JPEG', '.jpeg': 'JPEG', '.png': 'PNG'}
# Rows of a strip.
STRIP_EXAMPLES = 4
# The green that strips and contact sheets show people on.
STRIP_BACKGROUND = (0.16, 0.62, 0.35)


def strip(images: tf.Tensor, alphas: tf.Tensor, alphas_gt: tf.Tensor) -> tf.Tensor:
    """Draws a row for each example: photo, alpha, ground truth, and the person on green.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`.
        alphas, alphas_gt: in [0, 1], `[N, H, W, 1]`.

    Returns:
        uint8 `[1, N * H, 4 * W, 3]`.
    """
    composites = images * alphas + STRIP_BACKGROUND * (1 - alphas)
    rows = tf.concat([images, tf.tile(alphas, [1, 1, 1, 3]), tf.tile(alphas_gt, [1, 1, 1, 3]),
                      composites], axis=2)
    return tf.image.convert_image_dtype(tf.reshape(rows, [1, -1, rows.shape[2].value, 3]), tf.uint8,
                                        saturate=True)


def check_output(path: str, force: bool) -> None:
    """Refuses an output picture of an unknown format, or one that exists already.

    Raises:
        UserError: names the file.
    """
    if _format(path) is None:
        raise UserError(f'--output {path}: pictures are written as {", ".join(sorted(FORMATS))}')
    files.check_output(path, force)


def save(pixels: np.ndarray, path: str) -> None:
    """Writes uint8 RGB `[H, W, 3]` in the format that the extension names.

    Raises:
        UserError: if the file cannot be written.
    """
    with files.replacing(path) as partial:
        Image.fromarray(pixels).save(partial, _format(path), quality=90)


def _format(path: str) -> Optional[str]:
    return FORMATS.get(os.path.splitext(path)[1].lower())
