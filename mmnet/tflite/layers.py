"""The network between TensorFlow's graph and the file: a list of layers with float weights.

Each layer is what one operator of the file will be: batch norm and activation are part of their
convolution. Ranges of activations and weights, where there are any, come from fake quantization.
"""

from typing import List, NamedTuple, Optional, Sequence

import numpy as np


class Range(NamedTuple):
    """What a fake-quantization node rounds to: an evenly spaced grid that holds 0."""
    low: float
    high: float
    bits: int
    narrow: bool = False


class Value:
    """An activation of the network: `shape` `[1, H, W, C]`, and its range if it is quantized.

    `tensor` is the name of the tensor of TensorFlow's graph that holds the same numbers.
    """

    def __init__(self, name: str, shape: Sequence[int], range: Optional[Range] = None):
        self.name = name
        self.shape = tuple(shape)
        self.range = range
        self.tensor: Optional[str] = None


class Layer:
    """One operator: `kind` is the name of TFLite's builtin operator.

    Attributes:
        kind: e.g. `CONV_2D`.
        inputs, outputs: the activations it reads and writes.
        weights: `[h, w, inputs, outputs]` of a convolution, `[h, w, channels, 1]` of a depthwise
            one; bias: `[outputs]`; weight_range: of the weights.
        stride, dilation: of a convolution; an average pooling is as large as its stride.
        activation: `NONE`, `RELU` or `RELU6`, fused into the operator.
        align_corners: of a bilinear resize.
    """

    def __init__(self, kind: str, inputs: Sequence[Value], outputs: Sequence[Value],
                 weights: Optional[np.ndarray] = None, weight_range: Optional[Range] = None,
                 stride: int = 1, dilation: int = 1, align_corners: bool = False):
        self.kind = kind
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.weights = weights
        self.weight_range = weight_range
        self.bias = None if weights is None else np.zeros(self.outputs[0].shape[-1])
        self.stride = stride
        self.dilation = dilation
        self.activation = 'NONE'
        self.align_corners = align_corners

    @property
    def output(self) -> Value:
        """The only output."""
        value, = self.outputs
        return value


class Network(NamedTuple):
    """Layers in the order in which they run, from the input to the output."""
    input: Value
    output: Value
    layers: List[Layer]

    def producer(self, value: Value) -> Layer:
        """The layer that writes a value."""
        return next(layer for layer in self.layers if value in layer.outputs)

    def consumers(self, value: Value) -> List[Layer]:
        """The layers that read a value."""
        return [layer for layer in self.layers if value in layer.inputs]


def parted(layer: Layer, outputs: Sequence[Value]) -> List[Layer]:
    """A convolution for each of the equal parts that another one's output channels split into."""
    channels = outputs[0].shape[3]
    return [sliced(layer, slice(index * channels, (index + 1) * channels), output)
            for index, output in enumerate(outputs)]


def sliced(layer: Layer, channels: slice, output: Value) -> Layer:
    """A convolution that computes some of another one's output channels."""
    axis = 2 if layer.kind == 'DEPTHWISE_CONV_2D' else 3
    weights = layer.weights[(slice(None),) * axis + (channels,)]
    part = Layer(layer.kind, layer.inputs, [output], weights, layer.weight_range, layer.stride,
                 layer.dilation)
    part.bias = layer.bias[channels]
    part.activation = layer.activation
    return part
