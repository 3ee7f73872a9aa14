"""Compares a file with the TensorFlow graph that it was made from.

Floats are compared from end to end. Of 8-bit files each layer is: where a runtime rounds one
number in a thousand the other way than the graph, which sums in floats, the layers behind it turn
that into noise of the size of the rounding itself. Two runtimes differ by as much on one file.
"""

from typing import Dict, List, NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from mmnet.errors import UserError
from mmnet.tflite.encode import encode_layer, grid, quantization_of
from mmnet.tflite.export import Export
from mmnet.tflite.interpreter import Interpreter
from mmnet.tflite.layers import Layer, Value

# What floats may differ by, but for one number in a thousand, and at most: an instance norm divides
# by deviations that may be small, and makes more of the last digits of sums than other layers.
FLOAT_TOLERANCE = 1e-4
LARGEST_FLOAT_TOLERANCE = 1e-3
# What alphas of 8 bits and the outputs of a layer, in steps of its grid, may differ by, but for one
# number in a thousand.
BYTE_TOLERANCE = 2 / 255
STEP_TOLERANCE = 1
PERCENTAGE = 99.9
IMAGES = 4


class Differences(NamedTuple):
    """|α of the file − α of the graph| over a few images, from end to end."""
    largest: float
    mean: float


def compare(path: str, exported: Export) -> Differences:
    """Runs a file and the graph it was made from on a few generated images.

    Args:
        path: of the file.
        exported: what was written there.

    Raises:
        UserError: if the file does not compute what the graph does; names the layer.
    """
    interpreter = Interpreter(path)
    images = example_images(interpreter.size)
    alphas = np.stack([_run_graph(exported, image, {'alpha': exported.alpha})['alpha'][0]
                       for image in images])
    errors = np.abs(np.stack([interpreter.alpha(image) for image in images]) - alphas)
    differences = Differences(float(errors.max()), float(errors.mean()))
    if exported.precision == 'float32':
        if not (np.percentile(errors, PERCENTAGE) <= FLOAT_TOLERANCE and
                differences.largest <= LARGEST_FLOAT_TOLERANCE):
            raise UserError('{}: differs from the graph by {:.2g}, more than {:.2g}'.format(
                path, differences.largest, FLOAT_TOLERANCE))
    else:
        compare_layers(path, exported, images[0])
    return differences


def compare_layers(path: str, exported: Export, image: np.ndarray) -> None:
    """Feeds each layer of an 8-bit file what the graph has there, and compares what comes out.

    Raises:
        UserError: names the first layer that is more than a step off.
    """
    graph = exported.session.graph
    tensors = {value.tensor: graph.get_tensor_by_name(value.tensor)
               for layer in exported.network.layers for value in layer.inputs + layer.outputs
               if value.tensor}
    known = _run_graph(exported, image, dict(tensors, alpha=exported.alpha))
    for layer in exported.network.layers:
        if layer.inputs[0].tensor is None:
            continue    # what follows the runtime's softmax; the last layer is compared as alpha
        inputs = [_numbers(value, known) for value in layer.inputs]
        for value, output in zip(layer.outputs, run_layer(layer, exported.precision, inputs)):
            if value.tensor is None:
                # Half-way between two steps, a logit and its opposite are rounded to different
                # sides: where there is one logit, the alpha is that of this one.
                alpha = 1 / (1 + np.exp(-inputs[0])) if layer.kind == 'LOGISTIC' else known['alpha']
                errors = np.abs(output[..., -1:] - alpha)
                tolerance = BYTE_TOLERANCE
            else:
                errors = np.abs(output - _numbers(value, known)) / quantization_of(value).scale
                # Half a step more, as floats are a little off the grid.
                tolerance = STEP_TOLERANCE + 0.5 + _bias_rounding(layer)
            if not np.percentile(errors, PERCENTAGE) <= tolerance:
                raise UserError('{}: the layer {} ({}) does not compute what the graph does; it is '
                                'off by {:.2g}'.format(path, value.name, layer.kind, errors.max()))


def run_layer(layer: Layer, precision: str, inputs: List[np.ndarray]) -> List[np.ndarray]:
    """A layer in TensorFlow's TFLite interpreter, real numbers in and out."""
    interpreter = tf.lite.Interpreter(model_content=encode_layer(layer, precision))
    interpreter.allocate_tensors()
    for details, numbers in zip(interpreter.get_input_details(), inputs):
        scale, zero_point = details['quantization']
        limits = np.iinfo(details['dtype'])
        stored = np.clip(np.round(numbers / scale) + zero_point, limits.min, limits.max)
        interpreter.set_tensor(details['index'], stored.astype(details['dtype']))
    interpreter.invoke()
    outputs = []
    for details in interpreter.get_output_details():
        scale, zero_point = details['quantization']
        stored = interpreter.get_tensor(details['index']).astype(np.float32)
        outputs.append((stored - zero_point) * np.float32(scale))
    return outputs


def _run_graph(exported: Export, image: np.ndarray,
               tensors: Dict[str, tf.Tensor]) -> Dict[str, np.ndarray]:
    pixels = image[np.newaxis] * np.float32(1 / 255)
    return exported.session.run(tensors, {exported.images: pixels})


def _bias_rounding(layer: Layer) -> float:
    """What a convolution's bias is off by at most, in steps of the output.

    The graph has it in floats, a file as a multiple of the product of input's and weights' steps.
    """
    if layer.weights is None:
        return 0.0
    step = quantization_of(layer.inputs[0]).scale * grid(layer.weight_range)[0]
    return 0.5 * float(step / quantization_of(layer.output).scale)


def _numbers(value: Value, known: Dict[str, np.ndarray]) -> np.ndarray:
    numbers = known[value.tensor]
    if numbers.shape[-1] == 2 and value.shape[-1] == 1:
        # The difference of two logits that are opposite numbers.
        numbers = 2 * numbers[..., 1:]
    return numbers


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
