"""Reads photos and masks, upright and in 8 bits, from any file format and pixel mode."""

import os
from typing import Callable, Optional

import numpy as np
from PIL import Image

from mmnet.errors import UserError

# Extensions of photos that people give to matting programs, and that public sets have.
PHOTOS = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')
# Pictures that Pillow cannot read, or that are no photos of one frame.
OTHER_PICTURES = ('.heic', '.heif', '.avif', '.gif', '.dng', '.cr2', '.cr3', '.nef', '.arw')
ORIENTATION_TAG = 0x0112
# What turns a picture upright, by its orientation in the EXIF block.
TURNS = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
         5: Image.TRANSPOSE, 6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}
# Phones take photos of 200 million pixels. Pillow refuses files of more than twice this limit.
LIMIT = 150 * 10 ** 6
# A mask is in colour if the channels of a pixel differ by more than this. Colour management and
# JPEG tint grey a little.
COLOURED = 64
# A person fills less than this share of a cut-out.
NEARLY_OPAQUE = 0.95
# Pillow raises these for files it cannot read, and the functions here for pixels they refuse.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def open_picture(path: str) -> Image.Image:
    """Opens a picture without reading its pixels.

    Raises:
        any of `UNREADABLE`; OSError for a pipe or a device, which would never end.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError('it is not a regular file')
    Image.MAX_IMAGE_PIXELS = LIMIT
    return Image.open(path)


def orientation(image: Image.Image) -> int:
    """Returns an opened picture's orientation, 1 (upright) to 8; other numbers mean nothing."""
    # A PNG may hold its EXIF block after its pixels, and Pillow would decode them to find it.
    has_exif = image.format != 'PNG' or 'exif' in image.info
    return image.getexif().get(ORIENTATION_TAG, 1) if has_exif else 1


def read_image(path: str, size: Optional[int] = None) -> np.ndarray:
    """Reads a photo as RGB, upright.

    Args:
        path: JPEG, PNG, WebP, BMP or TIFF. Grey, palette, RGBA and 16-bit files are converted,
            and so are floats in [0, 1].
        size: resize to `size`×`size`, averaging the pixels covered; None keeps the size.

    Returns:
        uint8 `[H, W, 3]`.

    Raises:
        any of `UNREADABLE`.
    """
    with open_picture(path) as image:
        if size:
            # A JPEG decoder can skip resolution that resizing would throw away.
            image.draft(None, (size, size))
        image = _eight_bit(_upright(image)).convert('RGB')
    return np.asarray(_resize(image, size))


def checked(read: Callable[..., np.ndarray], path: str, *args) -> np.ndarray:
    """Calls `read`, such as `read_image`, for a file that a user named.

    Raises:
        UserError: names the file and what is wrong with it.
    """
    try:
        return read(path, *args)
    except UNREADABLE as error:
        raise UserError(f'{path}: cannot be decoded ({error})')


def read_opacity(path: str) -> Optional[np.ndarray]:
    """Reads a photo's own transparency.

    Returns:
        uint8 `[H, W]`, 0 where the photo is see-through; None if it has no transparency.

    Raises:
        any of `UNREADABLE`.
    """
    with open_picture(path) as image:
        # Turning it upright decodes it.
        if not may_be_transparent(image):
            return None
        opacity = opacity_of(_upright(image))
    return None if opacity is None else np.asarray(opacity)


def colour_profile(path: str) -> Optional[bytes]:
    """Returns a photo's ICC profile; None if it has none, or if its colours are no RGB.

    Raises:
        any of `UNREADABLE`.
    """
    with open_picture(path) as image:
        if image.mode in ('RGB', 'RGBA', 'P', 'PA'):
            return image.info.get('icc_profile')
    return None


def may_be_transparent(image: Image.Image) -> bool:
    """Returns whether an opened picture has a channel or a colour for transparency."""
    return image.mode in ('RGBA', 'LA', 'PA') or 'transparency' in image.info


def opacity_of(image: Image.Image) -> Optional[Image.Image]:
    """Returns the transparency of an opened picture as grey; None if it has none."""
    return image.convert('RGBA').getchannel('A') if may_be_transparent(image) else None


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
        any of `UNREADABLE`. ValueError for a mask in colour, and for one of class labels or of
        bytes in 16 bits, which would read as all background. Labels 0 and 1 are accepted if
        `labels` is true or a palette colours them.
    """
    mask = _alpha_of(path, truth=True)
    if mask.getextrema()[1] == 1:
        if not labels:
            raise ValueError('the mask holds only 0 and 1; masks run from 0 to 255')
        mask = mask.point(lambda label: label * 255)
    return np.asarray(_resize(mask, size))


def read_alpha(path: str) -> np.ndarray:
    """Reads a predicted matte as `read_mask` reads masks; one that is nearly 0 is allowed.

    Returns:
        uint8 `[H, W]`, 255 the foreground.

    Raises:
        any of `UNREADABLE`.
    """
    return np.asarray(_alpha_of(path))


def _alpha_of(path: str, truth: bool = False) -> Image.Image:
    """Reads the alpha of a file as grey; a `truth` of 16 bits must not be nearly black."""
    with open_picture(path) as image:
        image = _upright(image)
        if truth and image.mode.startswith('I'):
            pixels = np.asarray(image)
            if pixels.min() >= 0 and 0 < pixels.max() < 256:
                raise ValueError('its 16 bits hold no more than 255, which would be nearly black; '
                                 'save it with 8 bits')
        image = _eight_bit(image)
    if image.mode == 'P' and 'transparency' in image.info:
        image = image.convert('RGBA')
    if image.mode in ('RGBA', 'LA', 'PA'):
        if _opaque_grey(image, COLOURED):
            return image.convert('L')
        if truth and _ambiguous(image):
            raise ValueError('both its grey and its alpha channel may be the mask; save one of '
                             'them as grey')
        return image.getchannel('A')
    if image.mode == 'P' and not _opaque_grey(image, tint=0):
        # A mask of class labels: the palette only makes them visible.
        labels = np.asarray(image)
        if labels.max() > 1:
            raise ValueError('it is colour-coded, with labels above 1; save the mask as grey, 0 to '
                             '255')
        return Image.fromarray(labels * np.uint8(255))
    if image.mode not in ('1', 'L', 'P') and _tint(image) > COLOURED:
        raise ValueError('it is in colour; save the mask as grey, with the person in white')
    return image.convert('L')


def _upright(image: Image.Image) -> Image.Image:
    """Decodes an opened picture and turns it upright.

    Pillow's own function also rewrites the EXIF block, and fails where other tags are damaged.
    """
    # Read before decoding, as `pairs.upright_size` does: decoding adds tags to some files.
    turn = TURNS.get(orientation(image))
    image.load()
    # Pillow itself turns TIFFs.
    return image if turn is None or image.format == 'TIFF' else image.transpose(turn)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resizes a mask `[H, W]` exactly as `read_mask(path, size)` does."""
    return np.asarray(_resize(Image.fromarray(mask), size))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scales 16-bit grey and floats in [0, 1] to 8 bits; Pillow would clip them.

    Raises:
        ValueError: for 32-bit integers and other floats, whose range is unknown.
    """
    if not image.mode.startswith(('I', 'F')):
        return image
    pixels = np.asarray(image).astype(np.float64)
    white = 1 if image.mode == 'F' else 65535
    if not (pixels.min() >= 0 and pixels.max() <= white):
        raise ValueError('its pixels exceed 16 bits, or are floats outside [0, 1]; save it with '
                         '8 or 16 bits')
    return Image.fromarray(np.round(pixels * (255 / white)).astype(np.uint8))


def _opaque_grey(image: Image.Image, tint: int) -> bool:
    opaque = image.convert('RGBA').getchannel('A').getextrema()[0] == 255
    return opaque and _tint(image) <= tint


def _ambiguous(image: Image.Image) -> bool:
    """Returns whether a picture's grey may be the mask as well as its transparency.

    One stroke of an eraser makes a grey mask nearly opaque.
    """
    grey, opacity = image.convert('L'), np.asarray(image.convert('RGBA').getchannel('A'))
    darkest, lightest = grey.getextrema()
    return (_tint(image) <= COLOURED and darkest < 64 and lightest > 191 and
            np.mean(opacity > 191) > NEARLY_OPAQUE)


def _tint(image: Image.Image) -> int:
    """Returns the largest difference between the channels of a pixel."""
    red, green, blue = np.rollaxis(np.asarray(image.convert('RGB')).astype(np.int16), 2)
    return int(max(abs(red - green).max(), abs(green - blue).max(), abs(blue - red).max()))


def _resize(image: Image.Image, size: Optional[int]) -> Image.Image:
    return image.resize((size, size), Image.BILINEAR) if size else image
