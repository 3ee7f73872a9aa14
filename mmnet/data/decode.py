"""Reads photos and masks, upright and 8-bit, whatever their file format and pixel mode."""

from typing import Optional

import numpy as np
from PIL import Image, ImageOps


def read_image(path: str, size: Optional[int] = None) -> np.ndarray:
    """Reads a photo as RGB.

    Args:
        path: JPEG or PNG; grey, palette, RGBA and 16-bit files are converted, EXIF's rotation is
            applied.
        size: resize to `size`×`size` (bilinear over the pixels covered), or None.

    Returns:
        uint8 `[H, W, 3]`.

    Raises:
        OSError, ValueError, SyntaxError: Pillow's, for what it cannot read.
    """
    with Image.open(path) as image:
        if size:
            # A JPEG decoder can leave out resolution that would be thrown away.
            image.draft(None, (size, size))
        image = _eight_bit(ImageOps.exif_transpose(image)).convert('RGB')
    return np.asarray(_resize(image, size))


def read_opacity(path: str) -> Optional[np.ndarray]:
    """A photo's own transparency: uint8 `[H, W]`, 0 where it is see-through; None if it has none.

    Raises:
        OSError, ValueError, SyntaxError: Pillow's, for what it cannot read.
    """
    with Image.open(path) as image:
        opacity = opacity_of(ImageOps.exif_transpose(image))
    return None if opacity is None else np.asarray(opacity)


def opacity_of(image: Image.Image) -> Optional[Image.Image]:
    """The transparency of an opened picture, as grey; None if it has none."""
    if image.mode not in ('RGBA', 'LA', 'PA') and 'transparency' not in image.info:
        return None
    return image.convert('RGBA').getchannel('A')


def read_mask(path: str, size: Optional[int] = None, labels: bool = False) -> np.ndarray:
    """Reads a mask as a soft alpha.

    A file with transparency is a cut-out, its alpha channel the mask; if it is opaque everywhere
    and grey, the grey is the mask.

    Args:
        path: as of `read_image`.
        size: resize to `size`×`size`, or None.
        labels: whether a mask of class labels 0 and 1 is taken for background and foreground.

    Returns:
        uint8 `[H, W]`, 255 the foreground.

    Raises:
        ValueError: for a mask of class labels, which would read as all background, unless `labels`.
        OSError, SyntaxError: Pillow's, for what it cannot read.
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
    """A mask `[H, W]` as `read_mask(path, size)` would have read it."""
    return np.asarray(_resize(Image.fromarray(mask), size))


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey, which Pillow would clip instead of scaling, to 8 bits."""
    if image.mode.startswith('I'):
        return Image.fromarray(np.round(np.asarray(image) / 257.0).astype(np.uint8))
    return image


def _opaque_grey(image: Image.Image) -> bool:
    pixels = np.asarray(image.convert('RGBA'))
    return (pixels[..., 3] == 255).all() and (pixels[..., :3] == pixels[..., :1]).all()


def _resize(image: Image.Image, size: Optional[int]) -> Image.Image:
    return image.resize((size, size), Image.BILINEAR) if size else image
