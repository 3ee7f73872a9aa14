"""Runs an exported file: pixels in, alphas out."""

import numpy as np
import tensorflow as tf

from mmnet.errors import UserError


class Interpreter:
    """TensorFlow's TFLite interpreter on a file.

    Attributes:
        size: side of the square that the file takes, in pixels.

    Raises:
        UserError: if the file cannot be read or takes anything but square photos.
    """

    def __init__(self, path: str):
        try:
            self._interpreter = tf.lite.Interpreter(model_path=path)
            self._interpreter.allocate_tensors()
            self._input, = self._interpreter.get_input_details()
            self._output, = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            reason = str(error).split('\n')[0]
            raise UserError(f'{path}: cannot be run as a .tflite file ({reason})')
        self.size = int(self._input['shape'][1])
        if tuple(self._input['shape']) != (1, self.size, self.size, 3) or \
                tuple(self._output['shape']) != (1, self.size, self.size, 1):
            raise UserError(f'{path}: takes {list(self._input["shape"])} and returns '
                            f'{list(self._output["shape"])}; a file of export_tflite.py takes one '
                            f'square photo and returns its alpha')

    def alpha(self, image: np.ndarray) -> np.ndarray:
        """Computes the alpha of an image.

        Args:
            image: uint8 RGB `[S, S, 3]`.

        Returns:
            float32 `[S, S, 1]` in [0, 1].
        """
        pixels = image[np.newaxis]
        if self._input['dtype'] == np.float32:
            pixels = pixels.astype(np.float32) * np.float32(1 / 255)
        self._interpreter.set_tensor(self._input['index'], pixels)
        self._interpreter.invoke()
        alpha = self._interpreter.get_tensor(self._output['index'])[0]
        if self._output['dtype'] == np.float32:
            return alpha
        scale, zero_point = self._output['quantization']
        return (alpha.astype(np.float32) - zero_point) * np.float32(scale)
