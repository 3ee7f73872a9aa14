"""Runs an exported file."""

import numpy as np
import tensorflow as tf

from mmnet.errors import UserError


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
