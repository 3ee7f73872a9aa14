"""Compares a file with the TensorFlow graph that it was made from.

Float files are compared end to end. For 8-bit files, each layer is checked alone, with the graph's
activations as its input. A runtime rounds one value in a thousand differently from the graph, which
sums in floats, and the layers that follow amplify it. Two runtimes differ as much on one file.
"""

import dataclasses
from typing import Dict, List, Optional

import cv2
import numpy as np
import tensorflow as tf

from mmnet.errors import UserError
from mmnet.runtime import Interpreter
from mmnet.tflite.encode import encode_layer, grid, quantization_of
from mmnet.tflite.export import Export
from mmnet.tflite.layers import Layer, Value

# How far float alphas may be from the graph's: all but one in a thousand, and all. An instance norm
# divides by deviations that may be small, so it amplifies the last digits of sums. Weights in half
# precision have 11 bits (MMNet-1.0, trained: 0.005 and 0.007).
TOLERANCES = {'float32': (1e-4, 1e-3), 'float16': (0.02, 0.1)}
# Tolerances of 8-bit alphas, and of layers in steps of their grid, for all but one in a thousand.
BYTE_TOLERANCE = 2 / 255
STEP_TOLERANCE = 1
PERCENTAGE = 99.9
IMAGES = 4


@dataclasses.dataclass(frozen=True)
class Differences:
    """|α of the file − α of the graph| over a few images, end to end."""
    largest: float
    mean: float


def compare(path: str, exported: Export, name: Optional[str] = None) -> Differences:
    """Runs a file and the graph it was made from on a few generated images.

    Args:
        path: of the file.
        exported: what was written there.
        name: what messages call the file; its path by default.

    Raises:
        UserError: if the file does not compute what the graph does; names the layer.
    """
    interpreter = Interpreter(path, 'tensorflow', trusted=True)
    channels = exported.images.shape.as_list()[3]
    images = example_images(interpreter.size, channels)
    alphas = np.stack([_run_graph(exported, image, {'alpha': exported.alpha})['alpha'][0]
                       for image in images])
    errors = np.abs(np.stack([interpreter.alpha(image[..., :3], image[..., 3:] / np.float32(255))
                              for image in images]) - alphas)
    differences = Differences(float(errors.max()), float(errors.mean()))
    if exported.precision in TOLERANCES:
        most, largest = TOLERANCES[exported.precision]
        if not (np.percentile(errors, PERCENTAGE) <= most and differences.largest <= largest):
            raise UserError(f'{name or path}: differs from the graph by '
                            f'{differences.largest:.2g}, more than {largest:.2g}. This is a bug of '
                            f'the export; please report it')
    else:
        compare_layers(name or path, exported, images[0])
    return differences


def compare_layers(name: str, exported: Export, image: np.ndarray) -> None:
    """Runs each layer of an 8-bit file on the graph's activations and compares its output.

    Args:
        name: of the file, for messages.
        exported: an 8-bit file and its graph.
        image: uint8 `[S, S, C]`.

    Raises:
        UserError: names the first layer that exceeds the tolerances above.
    """
    graph = exported.session.graph
    tensors = {value.tensor: graph.get_tensor_by_name(value.tensor)
               for layer in exported.network.layers for value in layer.inputs + layer.outputs
               if value.tensor}
    known = _run_graph(exported, image, {**tensors, 'alpha': exported.alpha})
    for layer in exported.network.layers:
        if layer.inputs[0].tensor is None:
            continue    # the slice after the runtime's softmax, which was compared as alpha
        inputs = [_activations(value, known) for value in layer.inputs]
        for value, output in zip(layer.outputs, run_layer(layer, exported.precision, inputs)):
            if value.tensor is None:
                # Halfway between two steps, a logit and its negative round differently. So a file
                # with one logit is compared with the sigmoid of that logit.
                alpha = 1 / (1 + np.exp(-inputs[0])) if layer.kind == 'LOGISTIC' else known['alpha']
                errors = np.abs(output[..., -1:] - alpha)
                tolerance = BYTE_TOLERANCE
            else:
                errors = np.abs(output - _activations(value, known)) / quantization_of(value).scale
                # Half a step more, because floats lie a little off the grid.
                tolerance = STEP_TOLERANCE + 0.5 + _bias_rounding(layer)
            if not np.percentile(errors, PERCENTAGE) <= tolerance:
                raise UserError(f'{name}: the layer {value.name} ({layer.kind}) does not compute '
                                f'what the graph does; it is off by {errors.max():.2g}. This is a '
                                f'bug of the export; please report it')


def run_layer(layer: Layer, precision: str, inputs: List[np.ndarray]) -> List[np.ndarray]:
    """Runs a layer in TensorFlow's TFLite interpreter, real values in and out."""
    interpreter = tf.lite.Interpreter(model_content=encode_layer(layer, precision))
    interpreter.allocate_tensors()
    for details, values in zip(interpreter.get_input_details(), inputs):
        scale, zero_point = details['quantization']
        limits = np.iinfo(details['dtype'])
        stored = np.clip(np.round(values / scale) + zero_point, limits.min, limits.max)
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
    """Returns the largest rounding error of a convolution's bias, in steps of the output.

    The graph has the bias in floats. The file has a multiple of the product of two steps, the
    input's and the weights'.
    """
    if not layer.weight_ranges:
        return 0.0
    step = quantization_of(layer.inputs[0]).scale * max(
        grid(each)[0] for each in layer.weight_ranges)
    return 0.5 * float(step / quantization_of(layer.output).scale)


def _activations(value: Value, known: Dict[str, np.ndarray]) -> np.ndarray:
    """Returns the graph's values of an activation."""
    assert value.tensor is not None
    values = known[value.tensor]
    if values.shape[-1] == 2 and value.shape[-1] == 1:
        # The difference of two logits that are negatives of each other.
        values = 2 * values[..., 1:]
    return values


def example_images(size: int, channels: int = 3) -> np.ndarray:
    """Generates a few images with coarse to fine structure, the same in every run.

    Args:
        size: side of the square.
        channels: 3, and one more for a previous alpha.

    Returns:
        uint8 `[IMAGES, size, size, channels]`.
    """
    rng = np.random.RandomState(0)
    images = []
    for _ in range(IMAGES):
        image = np.zeros([size, size, channels])
        cells, strength = 2, 1.0
        while cells <= size:
            noise = rng.uniform(-1, 1, [cells, cells, channels])
            image += strength * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
            cells, strength = 2 * cells, 0.7 * strength
        image = (image - image.min()) / (image.max() - image.min())
        images.append(np.round(255 * image).astype(np.uint8))
    return np.stack(images)
