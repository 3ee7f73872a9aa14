"""The network between TensorFlow's graph and the file: a list of layers with float weights.

Most layers become one operator of the file: batch norm and activation belong to their convolution.
Fake quantization gives the ranges of activations and weights, if there are any.
"""

import dataclasses
from typing import Any, List, NamedTuple, Optional, Sequence

import numpy as np


class Range(NamedTuple):
    """The grid of a fake-quantization node: evenly spaced values that include 0."""
    low: float
    high: float
    bits: int
    narrow: bool = False


class Value:
    """An activation of the network.

    Attributes:
        name: unique in the network.
        shape: `[1, H, W, C]`.
        range: its grid; None if it is not quantized.
        tensor: name of the TensorFlow tensor that holds the same values, if there is one.
    """

    def __init__(self, name: str, shape: Sequence[int], value_range: Optional[Range] = None):
        self.name = name
        self.shape = tuple(shape)
        self.range = value_range
        self.tensor: Optional[str] = None


class Layer:
    """A step of the network.

    Attributes:
        kind: a key of `encode.KINDS`; nearly always the name of a builtin operator.
        inputs, outputs: the activations it reads and writes.
        weights: `[h, w, inputs, outputs]` of a convolution, `[h, w, channels, 1]` of a depthwise
            one; None for other layers.
        bias: `[outputs]`, 0 at first; None without weights.
        weight_ranges: the weights' grids: none, one, or one for each output channel.
        stride, dilation: of a convolution; the window of an average pooling is as large as its
            stride.
        activation: `NONE`, `RELU` or `RELU6`, fused into the operator.
        align_corners: of a bilinear resize.
    """

    def __init__(self, kind: str, inputs: Sequence[Value], outputs: Sequence[Value],
                 weights: Optional[np.ndarray] = None, weight_ranges: Sequence[Range] = (),
                 stride: int = 1, dilation: int = 1, align_corners: bool = False):
        self.kind = kind
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.weights: Any = weights
        self.weight_ranges = list(weight_ranges)
        self.bias: Any = None if weights is None else np.zeros(self.outputs[0].shape[-1])
        self.stride = stride
        self.dilation = dilation
        self.activation = 'NONE'
        self.align_corners = align_corners

    @property
    def output(self) -> Value:
        """The only output."""
        value, = self.outputs
        return value


@dataclasses.dataclass(frozen=True)
class LayerGraph:
    """A network: its input, its output, and its layers in the order in which they run."""
    input: Value
    output: Value
    layers: List[Layer]

    def producer(self, value: Value) -> Layer:
        """Returns the layer that writes a value."""
        return next(layer for layer in self.layers if value in layer.outputs)

    def consumers(self, value: Value) -> List[Layer]:
        """Returns the layers that read a value."""
        return [layer for layer in self.layers if value in layer.inputs]


def split_conv(layer: Layer, outputs: Sequence[Value]) -> List[Layer]:
    """Splits a convolution into one for each of the equal parts of its output channels."""
    channels = outputs[0].shape[3]
    return [slice_channels(layer, slice(index * channels, (index + 1) * channels), output)
            for index, output in enumerate(outputs)]


def slice_channels(layer: Layer, channels: slice, output: Value) -> Layer:
    """Makes the convolution that computes some of another one's output channels."""
    axis = 2 if layer.kind == 'DEPTHWISE_CONV_2D' else 3
    weights = layer.weights[(slice(None),) * axis + (channels,)]
    ranges = layer.weight_ranges
    part = Layer(layer.kind, layer.inputs, [output], weights,
                 ranges[channels] if len(ranges) > 1 else ranges, layer.stride, layer.dilation)
    part.bias = layer.bias[channels]
    part.activation = layer.activation
    return part
