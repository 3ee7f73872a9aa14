"""Picture files: their formats, and writing them."""

import io
import os
from typing import Optional

import numpy as np
from PIL import Image, ImageCms

from mmnet import files
from mmnet.errors import UserError

FORMATS = {'.jpg': 'JPEG', '.jpeg': 'JPEG', '.png': 'PNG'}


def check_output(path: str, force: bool) -> None:
    """Refuses an output picture of an unknown format, or one that exists already.

    Raises:
        UserError: names the file.
    """
    if _format(path) is None:
        raise UserError(f'--output {path}: has no known extension of a picture; use '
                        f'{", ".join(sorted(FORMATS))}')
    files.check_output(path, force)


def save(pixels: np.ndarray, path: str) -> None:
    """Writes uint8 RGB `[H, W, 3]` in the format that the extension names.

    Raises:
        UserError: if the file cannot be written.
    """
    with files.replacing(path) as partial:
        Image.fromarray(pixels).save(partial, _format(path), quality=90)


def recoloured(pixels: np.ndarray, source: Optional[bytes], target: Optional[bytes]) -> np.ndarray:
    """Converts colours from one ICC profile to another; None is sRGB.

    Args:
        pixels: uint8 RGB `[H, W, 3]`.
        source, target: the profiles. Colours stay as they are if one is damaged or not for RGB.
    """
    if source == target:
        return pixels
    try:
        before, after = (ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else
                         ImageCms.createProfile('sRGB') for profile in (source, target))
        return np.asarray(ImageCms.profileToProfile(Image.fromarray(pixels), before, after))
    except (ImageCms.PyCMSError, OSError):
        return pixels


def grey(alpha: np.ndarray) -> np.ndarray:
    """Shows an alpha in [0, 1] as uint8 of the same shape."""
    return np.round(255 * alpha).astype(np.uint8)


def _format(path: str) -> Optional[str]:
    return FORMATS.get(os.path.splitext(path)[1].lower())
