"""The end of a file: from the two logits to the alpha (Supplement A).

A head is a function that takes a network that ends in logits `[1, H, W, 2]` and returns one that
ends in the alpha `[1, H, W, 1]`.
"""

from typing import List, Optional

import numpy as np

from mmnet.tflite.layers import Layer, Network, Range, Value

# What LOGISTIC and SOFTMAX put out, by their definition in 8 bits: steps of 1/256.
PROBABILITIES = Range(0.0, 255 / 256, 8)
# What a mask holds: steps of 1/255.
BYTES = Range(0.0, 1.0, 8)


def logistic(network: Network) -> Network:
    """One logit instead of two: α is the sigmoid of their difference, which is linear.

    The convolution that makes the logits computes the difference, and what follows it moves one
    channel. Quantized logits are opposite numbers: their difference is twice the second of them,
    with the same stored numbers on a grid twice as wide.
    """
    convolution = network.producer(network.output)
    while convolution.kind == 'RESIZE_BILINEAR':
        convolution = network.producer(convolution.inputs[0])
    if convolution.kind != 'CONV_2D' or convolution.activation != 'NONE':
        raise ValueError(f'the logits come from {convolution.kind}, not from a convolution')
    layers, singles = [], {}
    for layer in network.layers:
        if layer is convolution:
            single = Layer(layer.kind, layer.inputs, [_difference(layer.output)],
                           layer.weights[..., 1:] - layer.weights[..., :1],
                           _doubled(layer.weight_range), layer.stride)
            single.bias = layer.bias[1:] - layer.bias[:1]
        elif layer.inputs[0] in singles:
            single = Layer(layer.kind, [singles[layer.inputs[0]]], [_difference(layer.output)],
                           align_corners=layer.align_corners)
        else:
            layers.append(layer)
            continue
        singles[layer.output] = single.output
        layers.append(single)
    return _extended(layers, network, 'LOGISTIC', singles[network.output], PROBABILITIES)


def lut(network: Network) -> Network:
    """The alpha of every pair of 8-bit logits, looked up in a table."""
    return _extended(network.layers, network, 'LUT', network.output, BYTES)


def builtin(network: Network) -> Network:
    """The runtime's own softmax, of which the foreground's channel is taken."""
    both = Value('softmax', network.output.shape, PROBABILITIES)
    layers = network.layers + [Layer('SOFTMAX', [network.output], [both])]
    return _extended(layers, network, 'STRIDED_SLICE', both, PROBABILITIES)


def alpha_table(scale: float, zero_point: int) -> np.ndarray:
    """The alpha of every pair of logits, as a byte.

    Args:
        scale, zero_point: of the logits: real = scale (stored − zero_point).

    Returns:
        uint8 `[256, 256]`, round(255 α), by the stored background and foreground logit.
    """
    logits = scale * (np.arange(256, dtype=np.float64) - zero_point)
    alpha = 1 / (1 + np.exp(logits[:, np.newaxis] - logits))
    return np.floor(255 * alpha + 0.5).astype(np.uint8)


HEADS = {'lut': lut, 'builtin': builtin, 'logistic': logistic}


def _extended(layers: List[Layer], network: Network, kind: str, last: Value,
              range: Range) -> Network:
    """The layers and behind them the one that makes the alpha."""
    alpha = Value('alpha', last.shape[:3] + (1,), range)
    return Network(network.input, alpha, layers + [Layer(kind, [last], [alpha])])


def _difference(value: Value) -> Value:
    difference = Value(value.name, value.shape[:3] + (1,), _doubled(value.range))
    difference.tensor = value.tensor
    return difference


def _doubled(range: Optional[Range]) -> Optional[Range]:
    return range and range._replace(low=2 * range.low, high=2 * range.high)
