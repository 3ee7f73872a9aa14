"""Compares a written file with the TensorFlow graph that it was made from."""

from typing import Callable, NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from mmnet.errors import UserError

# What a file may differ by: the largest difference of floats; for 8 bits, what 99.9 % of the
# pixels keep to.
FLOAT_TOLERANCE = 1e-4
BYTE_TOLERANCE = 2 / 255
BYTE_PERCENTAGE = 99.9
IMAGES = 4


class Differences(NamedTuple):
    """|α of the file − α of the graph| over a few images, and whether it is small enough."""
    largest: float
    mean: float
    percentile: float
    passed: bool


class Interpreter:
    """TensorFlow's TFLite interpreter on a file, pixels in and alphas out.

    Raises:
        UserError: if the file cannot be read or takes anything but square photos.
    """

    def __init__(self, path: str):
        try:
            self._interpreter = tf.lite.Interpreter(model_path=path)
            self._interpreter.allocate_tensors()
            self.input, = self._interpreter.get_input_details()
            self.output, = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise UserError('{}: cannot be run as a .tflite file ({})'.format(
                path, str(error).split('\n')[0]))
        self.size = int(self.input['shape'][1])
        if tuple(self.input['shape']) != (1, self.size, self.size, 3) or \
                tuple(self.output['shape']) != (1, self.size, self.size, 1):
            raise UserError('{}: takes {} and returns {}; a file of export_tflite.py takes one '
                            'square photo and returns its alpha'.format(
                                path, list(self.input['shape']), list(self.output['shape'])))

    def alpha(self, image: np.ndarray) -> np.ndarray:
        """The alpha of an image.

        Args:
            image: uint8 RGB `[S, S, 3]`.

        Returns:
            float32 `[S, S, 1]` in [0, 1].
        """
        pixels = image[np.newaxis]
        if self.input['dtype'] == np.float32:
            pixels = pixels.astype(np.float32) * np.float32(1 / 255)
        self._interpreter.set_tensor(self.input['index'], pixels)
        self._interpreter.invoke()
        alpha = self._interpreter.get_tensor(self.output['index'])[0]
        if self.output['dtype'] == np.float32:
            return alpha
        scale, zero_point = self.output['quantization']
        return (alpha.astype(np.float32) - zero_point) * np.float32(scale)


def compare(path: str, reference: Callable[[np.ndarray], np.ndarray], size: int) -> Differences:
    """Runs a file and the graph it was made from on a few generated images.

    Args:
        path: of the `.tflite` file.
        reference: the graph: uint8 `[S, S, 3]` to alpha `[S, S, 1]`.
        size: S.
    """
    interpreter = Interpreter(path)
    errors = np.stack([np.abs(interpreter.alpha(image) - reference(image))
                       for image in example_images(size)])
    percentile = np.percentile(errors, BYTE_PERCENTAGE, interpolation='higher')
    if interpreter.input['dtype'] == np.float32:
        passed = errors.max() <= FLOAT_TOLERANCE
    else:
        passed = percentile <= BYTE_TOLERANCE
    return Differences(errors.max(), errors.mean(), percentile, bool(passed))


def example_images(size: int) -> np.ndarray:
    """A few images with structure of every size: sums of coarse to fine noise, always the same.

    Returns:
        uint8 `[IMAGES, size, size, 3]`.
    """
    rng = np.random.RandomState(0)
    images = []
    for _ in range(IMAGES):
        image = np.zeros([size, size, 3])
        cells, strength = 2, 1.0
        while cells <= size:
            noise = rng.uniform(-1, 1, [cells, cells, 3])
            image += strength * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
            cells, strength = 2 * cells, 0.7 * strength
        image = (image - image.min()) / (image.max() - image.min())
        images.append(np.round(255 * image).astype(np.uint8))
    return np.stack(images)
