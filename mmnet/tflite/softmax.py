"""The end of a file, from the two logits to the alpha (Supplement A).

Each function takes a network that ends in logits `[1, H, W, 2]` and returns one that ends in the
alpha `[1, H, W, 1]`.
"""

from typing import Dict, List

import numpy as np

from mmnet.tflite.layers import Layer, LayerGraph, Range, Value

# LOGISTIC and SOFTMAX return these values in 8 bits, by definition: steps of 1/256.
PROBABILITIES = Range(0.0, 255 / 256, 8)
# The values of a mask: steps of 1/255.
BYTES = Range(0.0, 1.0, 8)


def logistic(network: LayerGraph) -> LayerGraph:
    """Replaces the two logits by one: α is the sigmoid of their difference, which is linear.

    The convolution that makes the logits computes the difference, and the layers after it move
    one channel. Quantized logits are negatives of each other. Their difference is twice the second
    one: the same stored values on a grid twice as wide.

    Raises:
        ValueError: if the logits do not come from a convolution.
    """
    convolution = network.producer(network.output)
    while convolution.kind == 'RESIZE_BILINEAR':
        convolution = network.producer(convolution.inputs[0])
    if convolution.kind != 'CONV_2D' or convolution.activation != 'NONE':
        raise ValueError(f'the logits come from {convolution.kind}, not from a convolution')
    layers: List[Layer] = []
    singles: Dict[Value, Value] = {}
    for layer in network.layers:
        if layer is convolution:
            single = Layer(layer.kind, layer.inputs, [_difference(layer.output)],
                           layer.weights[..., 1:] - layer.weights[..., :1],
                           [_doubled(each) for each in layer.weight_ranges[-1:]], layer.stride)
            single.bias = layer.bias[1:] - layer.bias[:1]
        elif layer.inputs[0] in singles:
            single = Layer(layer.kind, [singles[layer.inputs[0]]], [_difference(layer.output)],
                           align_corners=layer.align_corners)
        else:
            layers.append(layer)
            continue
        singles[layer.output] = single.output
        layers.append(single)
    return _with_alpha(network, layers, 'LOGISTIC', singles[network.output], PROBABILITIES)


def lut(network: LayerGraph) -> LayerGraph:
    """Looks the alpha of every pair of 8-bit logits up in a table."""
    return _with_alpha(network, network.layers, 'LUT', network.output, BYTES)


def builtin(network: LayerGraph) -> LayerGraph:
    """Uses the runtime's own softmax and slices out the foreground's channel."""
    both = Value('softmax', network.output.shape, PROBABILITIES)
    layers = network.layers + [Layer('SOFTMAX', [network.output], [both])]
    return _with_alpha(network, layers, 'STRIDED_SLICE', both, PROBABILITIES)


def alpha_table(scale: float, zero_point: int) -> np.ndarray:
    """Computes the alpha of every pair of logits as a byte.

    Args:
        scale, zero_point: of the logits: real = scale (stored − zero_point).

    Returns:
        uint8 `[256, 256]`, round(255 α), by the stored background and foreground logit.
    """
    logits = scale * (np.arange(256, dtype=np.float64) - zero_point)
    alpha = 1 / (1 + np.exp(logits[:, np.newaxis] - logits))
    return np.floor(255 * alpha + 0.5).astype(np.uint8)


SOFTMAXES = {'lut': lut, 'builtin': builtin, 'logistic': logistic}


def _with_alpha(network: LayerGraph, layers: List[Layer], kind: str, last: Value,
                alpha_range: Range) -> LayerGraph:
    """Adds the layer that makes the alpha."""
    alpha = Value('alpha', last.shape[:3] + (1,), alpha_range)
    return LayerGraph(network.input, alpha, layers + [Layer(kind, [last], [alpha])])


def _difference(value: Value) -> Value:
    difference = Value(value.name, value.shape[:3] + (1,),
                       None if value.range is None else _doubled(value.range))
    difference.tensor = value.tensor
    return difference


def _doubled(value_range: Range) -> Range:
    return value_range._replace(low=2 * value_range.low, high=2 * value_range.high)
