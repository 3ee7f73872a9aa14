"""Reads photos and masks, upright and in 8 bits, from any file format and pixel mode."""

from typing import Optional

import numpy as np
from PIL import Image, ImageOps

# Pillow raises these for files it cannot read, and `read_mask` for masks of class labels.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def read_image(path: str, size: Optional[int] = None) -> np.ndarray:
    """Reads a photo as RGB, upright.

    Args:
        path: JPEG or PNG. Grey, palette, RGBA and 16-bit files are converted.
        size: resize to `size`×`size`, averaging the pixels covered; None keeps the size.

    Returns:
        uint8 `[H, W, 3]`.

    Raises:
        any of `UNREADABLE`.
    """
    with Image.open(path) as image:
        if size:
            # A JPEG decoder can skip resolution that resizing would throw away.
            image.draft(None, (size, size))
        image = _eight_bit(ImageOps.exif_transpose(image)).convert('RGB')
    return np.asarray(_resize(image, size))


def read_opacity(path: str) -> Optional[np.ndarray]:
    """Reads a photo's own transparency.

    Returns:
        uint8 `[H, W]`, 0 where the photo is see-through; None if it has no transparency.

    Raises:
        any of `UNREADABLE`.
    """
    with Image.open(path) as image:
        opacity = opacity_of(ImageOps.exif_transpose(image))
    return None if opacity is None else np.asarray(opacity)


def opacity_of(image: Image.Image) -> Optional[Image.Image]:
    """Returns the transparency of an opened picture as grey; None if it has none."""
    if image.mode not in ('RGBA', 'LA', 'PA') and 'transparency' not in image.info:
        return None
    return image.convert('RGBA').getchannel('A')


def read_mask(path: str, size: Optional[int] = None, labels: bool = False) -> np.ndarray:
    """Reads a mask as a soft alpha.

    A file with transparency is a cut-out, and its alpha channel is the mask. If it is opaque
    everywhere and grey, the grey is the mask.

    Args:
        path, size: see `read_image`.
        labels: accept class labels 0 and 1 as background and foreground.

    Returns:
        uint8 `[H, W]`, 255 the foreground.

    Raises:
        any of `UNREADABLE`; ValueError for a mask of class labels, which would read as all
        background, unless `labels` is true.
    """
    with Image.open(path) as image:
        image = _eight_bit(ImageOps.exif_transpose(image))
    if image.mode == 'P' and 'transparency' in image.info:
        image = image.convert('RGBA')
    if image.mode in ('RGBA', 'LA', 'PA') and not _opaque_grey(image):
        mask = image.getchannel('A')
    else:
        mask = image.convert('L')
    if mask.getextrema()[1] == 1:
        if not labels:
            raise ValueError('the mask holds only 0 and 1; masks run from 0 to 255')
        mask = mask.point(lambda label: label * 255)
    return np.asarray(_resize(mask, size))


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resizes a mask `[H, W]` exactly as `read_mask(path, size)` does."""
    return np.asarray(_resize(Image.fromarray(mask), size))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scales 16-bit grey to 8 bits; Pillow would clip it."""
    if image.mode.startswith('I'):
        return Image.fromarray(np.round(np.asarray(image) / 257.0).astype(np.uint8))
    return image


def _opaque_grey(image: Image.Image) -> bool:
    pixels = np.asarray(image.convert('RGBA'))
    return bool((pixels[..., 3] == 255).all() and (pixels[..., :3] == pixels[..., :1]).all())


def _resize(image: Image.Image, size: Optional[int]) -> Image.Image:
    return image.resize((size, size), Image.BILINEAR) if size else image
