"""From a photo of any size to its alpha.

    predictor = inference.load('model.tflite', '--model')
    alpha = inference.matte(predictor, image, refine=True)
    colours = compositing.foreground_colours(image, alpha)
    result = compositing.composite(colours, alpha, background)
"""

import functools
import os
from typing import Callable, Optional

import cv2
import numpy as np
from PIL import Image, ImageColor, ImageOps

from mmnet import compositing, pictures, pretrained
from mmnet.data import decode
from mmnet.errors import UserError
from mmnet.runtime import Interpreter, Predictor, is_exported_file

# The guided filter's radius, in pixels of the network, and its ε, in squared steps of 255.
# With the default network of commit 3a6a78d, gradient error falls by 12 % on 192 selfies, and MAD
# rises by 0.6 %.
GUIDED_RADIUS = 3
GUIDED_EPSILON = 16.0
# Takes a photo and its alpha; returns a background, uint8 RGB [H, W, 3] or one colour [3].
Background = Callable[[np.ndarray, np.ndarray], np.ndarray]


def load(path: str, flag: str, runtime: Optional[str] = None) -> Predictor:
    """Loads a network from an exported file, a train directory or a checkpoint.

    Args:
        path: of the network, or `pretrained:NAME`.
        flag: the flag that the path came with, for messages.
        runtime: of an exported file; see `Interpreter`.

    Raises:
        UserError: for other files, and for files that cannot be read.
    """
    path = pretrained.find(path)
    if is_exported_file(path):
        return Interpreter(path, runtime).predictor()
    if path.endswith('.tflite'):
        raise UserError(f'{flag} {path}: no such file; export_tflite.py writes it')
    # Only checkpoints need TensorFlow.
    from mmnet import restored
    return restored.load(path, flag)


def name_of(path: str) -> str:
    """Names a network after its file or directory; best/ and checkpoints have their parent's."""
    parent, name = os.path.split(os.path.abspath(path))
    if name == 'best' or name.startswith('model.ckpt-'):
        return name_of(parent)
    return name[:-len('.tflite')] if name.endswith('.tflite') else name


def matte(predictor: Predictor, image: np.ndarray, refine: bool = False) -> np.ndarray:
    """Computes the alpha of a photo in the photo's own size.

    Args:
        predictor: as returned by `load`.
        image: uint8 RGB `[H, W, 3]`.
        refine: sharpen the alpha along the photo's edges with a guided filter.

    Returns:
        float32 `[H, W]` in [0, 1].

    Raises:
        ValueError: for an image of another type or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'the image is {image.dtype} {image.shape}; give uint8 RGB [H, W, 3]')
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((predictor.size, predictor.size), Image.BILINEAR)
    alpha = cv2.resize(predictor.alpha(np.asarray(small)), (width, height),
                       interpolation=cv2.INTER_LINEAR)
    return sharpened(alpha, image, predictor.size) if refine else alpha.clip(0, 1)


def sharpened(alpha: np.ndarray, image: np.ndarray, size: int) -> np.ndarray:
    """Sharpens an alpha along a photo's edges with a guided filter.

    Args:
        alpha: float32 `[H, W]`.
        image: uint8 RGB `[H, W, 3]`.
        size: side of the square that the network takes, which its errors scale with.

    Returns:
        float32 `[H, W]` in [0, 1].
    """
    radius = max(1, int(round(GUIDED_RADIUS * max(alpha.shape) / size)))
    # For a guide from 0 to 1, OpenCV's filter loses every ε below 0.01, that is 650 of 255².
    return cv2.ximgproc.guidedFilter(image.astype(np.float32), alpha, radius,
                                     GUIDED_EPSILON).clip(0, 1)


def parse_background(text: str) -> Background:
    """Reads the value of `--background`: `blur`, a picture's path, or a colour.

    Raises:
        UserError: if it is none of these.
    """
    if text == 'blur':
        return compositing.blurred_background
    if os.path.exists(text):
        try:
            # Photos without a profile are sRGB, and so are backgrounds.
            picture = Image.fromarray(pictures.recoloured(
                decode.read_image(text), decode.colour_profile(text), None))
        except decode.UNREADABLE as error:
            raise UserError(f'--background {text}: cannot be read as a picture ({error})')
        # All frames of a video have the same size.
        fitted = functools.lru_cache(maxsize=1)(
            lambda width, height: np.asarray(ImageOps.fit(picture, (width, height), Image.BICUBIC)))
        return lambda image, alpha: fitted(image.shape[1], image.shape[0])
    try:
        colour = ImageColor.getrgb(text)[:3]
        # Pillow does not check rgb(0, 0, 300).
        if max(colour) > 255:
            raise ValueError(text)
    except ValueError:
        raise UserError(f'--background {text}: is not a picture\'s path, a colour such as white or '
                        f'#1f9e59, or blur')
    return lambda image, alpha: np.array(colour, np.uint8)
