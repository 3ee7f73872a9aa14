"""From a photo of any size to its alpha.

    predictor = inference.load('model.tflite', '--model')
    alpha = inference.matte(predictor, image, refine=True)
    colours = compositing.foreground_colours(image, alpha)
    result = compositing.composite(colours, alpha, background)
"""

import dataclasses
import os
from typing import Callable

import cv2
import numpy as np
import tensorflow as tf
from PIL import Image, ImageColor, ImageOps

from mmnet import checkpoints, compositing, hparams, losses
from mmnet.data import decode
from mmnet.errors import UserError
from mmnet.graph import as_float, build_network
from mmnet.tflite.interpreter import Interpreter

# The guided filter's radius, in pixels of the network, and its ε, in squared steps of 255.
# Measured: gradient error falls by 8 % on photos and by a fifth on drawn portraits; MAD rises by
# 3 % on photos and not at all on drawn portraits.
GUIDED_RADIUS = 3
GUIDED_EPSILON = 16.0
# Takes a photo and its alpha; returns a background, uint8 RGB [H, W, 3] or one colour [3].
Background = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained network that is ready to run.

    Attributes:
        size: side of the square that it takes, in pixels.
        alpha: takes uint8 RGB `[S, S, 3]`, returns float32 `[S, S, 1]` in [0, 1].
    """
    size: int
    alpha: Callable[[np.ndarray], np.ndarray]


def load(path: str, flag: str) -> Predictor:
    """Loads an exported file, a train directory's latest checkpoint, or one checkpoint.

    Args:
        path: the file, directory or checkpoint.
        flag: the flag that the path came with, for messages.

    Raises:
        UserError: for other files, and for files that cannot be read.
    """
    if os.path.isfile(path) and not path.endswith(('.index', '.meta')):
        interpreter = Interpreter(path)
        return Predictor(interpreter.size, interpreter.alpha)
    if path.endswith('.tflite'):
        raise UserError(f'{flag} {path}: no such file; export_tflite.py writes it')
    checkpoint = checkpoints.resolve(path, flag)
    trained = hparams.read(os.path.dirname(checkpoint) or '.')
    size = trained.image_size
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.uint8, [1, size, size, 3])
        logits, _ = build_network(as_float(images), trained, is_training=False)
        alpha = losses.foreground_alpha(logits)
        session = tf.Session(graph=graph)
        checkpoints.restore(checkpoints.saver(trained.training.ema_decay is not None), session,
                            checkpoint)
    return Predictor(size, lambda image: session.run(alpha, {images: image[np.newaxis]})[0])


def matte(predictor: Predictor, image: np.ndarray, refine: bool = False) -> np.ndarray:
    """Computes the alpha of a photo in the photo's own size.

    Args:
        predictor: as returned by `load`.
        image: uint8 RGB `[H, W, 3]`.
        refine: sharpen the alpha along the photo's edges with a guided filter.

    Returns:
        float32 `[H, W]` in [0, 1].
    """
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((predictor.size, predictor.size), Image.BILINEAR)
    alpha = cv2.resize(predictor.alpha(np.asarray(small)), (width, height),
                       interpolation=cv2.INTER_LINEAR)
    if refine:
        radius = max(1, int(round(GUIDED_RADIUS * max(height, width) / predictor.size)))
        # For a guide from 0 to 1, OpenCV's filter loses every ε below 0.01, that is 650 of 255².
        alpha = cv2.ximgproc.guidedFilter(image.astype(np.float32), alpha, radius, GUIDED_EPSILON)
    return alpha.clip(0, 1)


def parse_background(text: str) -> Background:
    """Reads the value of `--background`: `blur`, a picture's path, or a colour.

    Raises:
        UserError: if it is none of these.
    """
    if text == 'blur':
        return compositing.blurred_background
    if os.path.exists(text):
        try:
            picture = Image.fromarray(decode.read_image(text))
        except decode.UNREADABLE as error:
            raise UserError(f'--background {text}: cannot be read as a picture ({error})')
        return lambda image, alpha: np.asarray(
            ImageOps.fit(picture, (image.shape[1], image.shape[0]), Image.BICUBIC))
    try:
        colour = np.array(ImageColor.getrgb(text)[:3], np.uint8)
    except ValueError:
        raise UserError(f'--background {text}: is not a picture\'s path, a colour such as white or '
                        f'#1f9e59, or blur')
    return lambda image, alpha: colour
