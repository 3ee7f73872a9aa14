"""Turns layers into tensors and operators: floats, or 8-bit values on fake quantization's grid.

An 8-bit tensor stores real = scale (stored − zero_point). `uint8` stores 0 to 255, as in the
paper's day; `int8` stores the same values less 128. Weights have symmetric ranges, so their zero
point is 128 or 0. `float16` files hold weights in half precision; everything else is as in
`float32` files. `KINDS`, at the end, says how each kind of layer is encoded.
"""

import dataclasses
import functools
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from tensorflow_lite_support.metadata import schema_py_generated as schema

from mmnet.tflite import flatbuffer
from mmnet.tflite.flatbuffer import Operator, Quantization, Tensor
from mmnet.tflite.layers import Layer, LayerGraph, Range, Value
from mmnet.tflite.softmax import PROBABILITIES, alpha_table


def encode(network: LayerGraph, precision: str, description: str, io: str,
           metadata: Optional[Dict[str, bytes]] = None) -> bytes:
    """Encodes a network as a file.

    Args:
        network: its values have 8-bit ranges unless the precision is `float32` or `float16`.
        precision: `float32`, `float16`, `uint8` or `int8`.
        description: shown by model viewers.
        io: what the file takes and returns, `float32` or, if it has 8 bits, `uint8`.
        metadata: entries of the file by name.

    Raises:
        ValueError: for a value without a range, or with one of fewer bits.
    """
    encoder = _Encoder(precision)
    values = file_inputs(network)
    inputs = {value.name: encoder.tensor(value, io) for value in values}
    for value in values:
        encoder.tensors[value] = encoder.converted(value, inputs[value.name], encoder.dtype)
    if len(values) > 1:
        encoder.add(Layer('CONCATENATION', values, [network.input]))
    else:
        encoder.tensors[network.input] = encoder.tensors[values[0]]
    for layer in network.layers:
        encoder.add(layer)
    alpha = encoder.converted(network.output, encoder.tensors[network.output], io)
    eight_bit = encoder.dtype != 'float32'
    if eight_bit and io == 'float32' and network.output.range == PROBABILITIES:
        # The grid ends at 255/256, and a person is opaque.
        alpha = encoder.scaled(alpha, 256 / 255)
    return flatbuffer.write(inputs, {'alpha': alpha}, encoder.operators, description, metadata)


def file_inputs(network: LayerGraph) -> List[Value]:
    """Names what a file takes: the image and, in a network with a memory, the previous alpha."""
    *shape, channels = network.input.shape
    parts = {'image': 3, 'previous_alpha': 1} if channels == 4 else {'image': channels}
    return [Value(name, [*shape, count], network.input.range) for name, count in parts.items()]


def encode_layer(layer: Layer, precision: str) -> bytes:
    """Encodes a single layer as a file; inputs and outputs have the precision's type."""
    encoder = _Encoder(precision)
    inputs = [encoder.tensor(value) for value in layer.inputs]
    encoder.tensors.update(zip(layer.inputs, inputs))
    encoder.add(layer)
    outputs = [encoder.tensors[value] for value in layer.outputs]
    return flatbuffer.write(_numbered(inputs), _numbered(outputs), encoder.operators, layer.kind)


def _numbered(tensors: List[Tensor]) -> Dict[str, Tensor]:
    return {str(index): tensor for index, tensor in enumerate(tensors)}


def grid(value_range: Range) -> Tuple[np.float32, int]:
    """Computes scale and zero point of a range; its lowest value is stored as 0, or 1 if narrow.

    The range is shifted a little so that 0 lies on the grid. `tf.fake_quant_with_min_max_vars`
    does the same, in 32-bit floats, too.
    """
    lowest, highest = np.float32(value_range.narrow), np.float32(2 ** value_range.bits - 1)
    scale = (np.float32(value_range.high) - np.float32(value_range.low)) / (highest - lowest)
    zero_point = lowest - np.float32(value_range.low) / scale
    return scale, int(np.clip(np.floor(zero_point + np.float32(0.5)), lowest, highest))


def quantization_of(value: Value) -> Quantization:
    """Returns how an activation is stored as uint8.

    Raises:
        ValueError: if it has no range, or one of fewer than 8 bits.
    """
    if value.range is None or value.range.bits != 8:
        found = ('no quantization range' if value.range is None
                 else f'a quantization range of {value.range.bits} bits')
        raise ValueError(f'{value.name} has {found}; an 8-bit file needs one of 8 bits')
    scale, zero_point = grid(value.range)
    return Quantization(scale, np.int64(zero_point))


def cell_weights(weights: np.ndarray) -> np.ndarray:
    """Computes the plain convolution that equals a transposed one of size 4 and stride 2.

    Pixel 2i + a of the result depends on pixels i + d of the source, d from −1 to 1. The weight
    between them is a + 1 − 2d, where there is one.

    Args:
        weights: `[4, 4, inputs, outputs]`.

    Returns:
        `[3, 3, inputs, 4 * outputs]`; the outputs of a cell by row, column and channel.
    """
    cells = np.zeros((3, 3, weights.shape[2], 2, 2, weights.shape[3]))
    taps = [(a, d, a + 1 - 2 * d) for a in (0, 1) for d in (-1, 0, 1) if 0 <= a + 1 - 2 * d < 4]
    for row, down, tap_y in taps:
        for column, right, tap_x in taps:
            cells[down + 1, right + 1, :, row, column] = weights[tap_y, tap_x]
    return cells.reshape(3, 3, weights.shape[2], -1)


class _Encoder:
    """Collects the operators of a file, and the tensor of every value."""

    def __init__(self, precision: str):
        self.half_precision = precision == 'float16'
        # Of activations: a float16 file stores halves and computes in floats.
        self.dtype = 'float32' if self.half_precision else precision
        self.tensors: Dict[Value, Tensor] = {}
        self.operators: List[Operator] = []

    def tensor(self, value: Value, dtype: Optional[str] = None) -> Tensor:
        """Makes a tensor for a value, of the precision's type unless another is given."""
        dtype = dtype or self.dtype
        if dtype == 'float32':
            return Tensor(value.name, value.shape, dtype)
        quantization = quantization_of(value)
        if dtype == 'int8':
            quantization = dataclasses.replace(quantization,
                                               zero_point=quantization.zero_point - 128)
        return Tensor(value.name, value.shape, dtype, quantization)

    def converted(self, value: Value, tensor: Tensor, dtype: str) -> Tensor:
        """Converts a tensor between uint8, int8 and float32; 8-bit types hold the same values.

        Args:
            value: that the tensor holds.
            tensor: to convert.
            dtype: of the result.
        """
        if tensor.dtype == dtype:
            return tensor
        result = self.tensor(value, dtype)
        result.name = f'{value.name}_{dtype}'
        kind = 'DEQUANTIZE' if dtype == 'float32' else 'QUANTIZE'
        self.append(kind, [tensor], [result], kind.title() + 'Options')
        return result

    def scaled(self, tensor: Tensor, factor: float) -> Tensor:
        """Multiplies a tensor of floats."""
        result = Tensor(f'{tensor.name}_scaled', tensor.shape, 'float32')
        constant = _constant(f'{tensor.name}_factor', [factor], 'float32')
        self.append('MUL', [tensor, constant], [result], 'MulOptions')
        return result

    def add(self, layer: Layer) -> None:
        """Appends the operators of a layer."""
        inputs = [self.tensors[value] for value in layer.inputs]
        # A table holds bytes.
        dtype = 'uint8' if layer.kind == 'LUT' else None
        outputs = [self.tensor(value, dtype) for value in layer.outputs]
        self.tensors.update(zip(layer.outputs, outputs))
        KINDS[layer.kind](self, layer, inputs, outputs)

    def append(self, kind: str, inputs: List[Tensor], outputs: List[Tensor],
               options_type: str = 'NONE', **options) -> None:
        """Appends an operator."""
        self.operators.append(Operator(kind, inputs, outputs, options_type, options))

    def floats(self, name: str, values: np.ndarray) -> Tensor:
        """Makes a constant of floats, stored in half precision if the file has it."""
        if not self.half_precision:
            return Tensor(name, values.shape, 'float32', data=values)
        half = Tensor(name + '/half', values.shape, 'float16', data=values)
        whole = Tensor(name, values.shape, 'float32')
        # Runtimes do this once, when they load the file, or not at all if they compute in float16.
        self.append('DEQUANTIZE', [half], [whole], 'DequantizeOptions')
        return whole

    def weight_grid(self, layer: Layer) -> Tuple[np.ndarray, int]:
        """Returns the scales of a convolution's weights, one or one per channel, and its last step.

        Raises:
            ValueError: for weights without a symmetric range, or ranges that a file cannot hold.
        """
        name, ranges = layer.output.name, layer.weight_ranges
        if not ranges:
            raise ValueError(f'the weights of {name} have no quantization range')
        if len(ranges) > 1 and self.dtype == 'uint8':
            raise ValueError(f'the weights of {name} have a range for each channel, which a uint8 '
                             f'file cannot hold')
        scales, zero_points = zip(*map(grid, ranges))
        limit = 2 ** (ranges[0].bits - 1) - 1
        if set(zero_points) != {limit + 1}:
            raise ValueError(f'the weights of {name} have no symmetric range')
        return np.array(scales, np.float32), limit

    def weights(self, layer: Layer, source: Tensor, channel_axis: int) -> List[Tensor]:
        """Makes the weights and the bias of a convolution.

        Args:
            layer: the convolution.
            source: its input.
            channel_axis: axis of the stored weights that the output channels lie on.
        """
        name = layer.output.name
        # [h, w, inputs, outputs] becomes [outputs, h, w, inputs]; the weights of a depthwise
        # convolution, [h, w, channels, 1], become [1, h, w, channels].
        weights = np.transpose(layer.weights, [3, 0, 1, 2])
        if self.dtype == 'float32':
            return [self.floats(name + '/weights', weights),
                    self.floats(name + '/bias', layer.bias)]
        assert source.quantization is not None
        scale, limit = self.weight_grid(layer)
        # Fake quantization rounds halves up, in float32. Channels are on the stored weights' axis.
        axes = [1] * 4
        axes[channel_axis] = len(scale)
        steps = np.floor(weights.astype(np.float32) / scale.reshape(axes) + np.float32(0.5))
        shift = 128 if self.dtype == 'uint8' else 0
        stored = np.clip(steps, -limit, limit) + shift
        bias_scale = np.float32(source.quantization.scale) * scale
        # Runtimes expect one scale per channel for signed weights, even if all are equal.
        # TensorFlow 1.15 would read past the end of a single scale.
        channels = len(layer.bias) if self.dtype == 'int8' else 1
        copies = channels // len(scale)
        return [Tensor(name + '/weights', weights.shape, self.dtype,
                       Quantization(np.repeat(scale, copies), np.repeat(shift, channels),
                                    # XNNPACK refuses a single scale on another axis than 0.
                                    channel_axis if channels > 1 else 0), stored),
                Tensor(name + '/bias', layer.bias.shape, 'int32',
                       Quantization(np.repeat(bias_scale, copies), np.zeros(channels)),
                       np.round(layer.bias / bias_scale.astype(np.float64)))]


def _constant(name: str, values: Any, dtype: str = 'int32') -> Tensor:
    data = np.asarray(values, dtype)
    return Tensor(name, data.shape, dtype, data=data)


def _convolution(encoder: _Encoder, layer: Layer, inputs: List[Tensor], outputs: List[Tensor],
                 options_type: str, channel_axis: int, **options) -> None:
    encoder.append(layer.kind, inputs + encoder.weights(layer, inputs[0], channel_axis), outputs,
                   options_type, padding=schema.Padding.SAME, strideH=layer.stride,
                   strideW=layer.stride, dilationHFactor=layer.dilation,
                   dilationWFactor=layer.dilation, **_activation(layer), **options)


def _transpose_conv(encoder: _Encoder, layer: Layer, inputs: List[Tensor],
                    outputs: List[Tensor]) -> None:
    if encoder.dtype != 'float32':
        _shuffled_conv(encoder, layer, inputs, outputs)
        return
    shape = _constant(layer.output.name + '/shape', layer.output.shape)
    weights, _ = encoder.weights(layer, inputs[0], channel_axis=0)
    encoder.append(layer.kind, [shape, weights] + inputs, outputs, 'TransposeConvOptions',
                   padding=schema.Padding.SAME, strideH=layer.stride, strideW=layer.stride)


def _shuffled_conv(encoder: _Encoder, layer: Layer, inputs: List[Tensor],
                   outputs: List[Tensor]) -> None:
    """Encodes a transposed convolution as a plain one that computes all pixels of a cell at once.

    TensorFlow 1.15 has no signed transposed convolution. A transposition moves the four pixels of
    a cell, by row, column and channel, to their places.
    """
    height, width, channels = layer.output.shape[1:]
    name, value_range = layer.output.name, layer.output.range
    cells = Value(name + '/cells', (1, height // 2, width // 2, 4 * channels), value_range)
    rows = Value(name + '/rows', (height // 2, width // 2, 2, 2 * channels), value_range)
    turned = Value(name + '/turned', (height // 2, 2, width // 2, 2 * channels), value_range)
    made, split, moved = (encoder.tensor(value) for value in (cells, rows, turned))
    plain = Layer('CONV_2D', layer.inputs, [cells], cell_weights(layer.weights),
                  layer.weight_ranges)
    KINDS[plain.kind](encoder, plain, inputs, [made])
    _reshape(encoder, made, split)
    order = _constant(name + '/order', [0, 2, 1, 3])
    encoder.append('TRANSPOSE', [split, order], [moved], 'TransposeOptions')
    _reshape(encoder, moved, outputs[0])


def _reshape(encoder: _Encoder, source: Tensor, target: Tensor) -> None:
    shape = _constant(target.name + '/shape', target.shape)
    encoder.append('RESHAPE', [source, shape], [target], 'ReshapeOptions',
                   newShape=list(target.shape))


def _split(encoder: _Encoder, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
    axis = _constant(layer.inputs[0].name + '/axis', 3)
    encoder.append(layer.kind, [axis] + inputs, outputs, 'SplitOptions', numSplits=len(outputs))


def _lut(encoder: _Encoder, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
    """Encodes the look-up: both bytes of a pixel index its alpha in a table of 256×256."""
    logits = encoder.converted(layer.inputs[0], inputs[0], 'uint8')
    assert logits.quantization is not None
    indices = Tensor('indices', logits.shape, 'int32')
    encoder.append('CAST', [logits], [indices], 'CastOptions',
                   inDataType=schema.TensorType.UINT8, outDataType=schema.TensorType.INT32)
    table = alpha_table(logits.quantization.scale, logits.quantization.zero_point)
    constant = _constant('alpha_table', table[:, :, np.newaxis], 'uint8')
    constant.quantization = outputs[0].quantization
    encoder.append('GATHER_ND', [constant, indices], outputs, 'GatherNdOptions')


def _activation(layer: Layer) -> Dict[str, int]:
    return {'fusedActivationFunction': getattr(schema.ActivationFunctionType, layer.activation)}


def _pool(layer: Layer) -> Dict[str, int]:
    return dict(padding=schema.Padding.VALID, strideH=layer.stride, strideW=layer.stride,
                filterHeight=layer.stride, filterWidth=layer.stride)


def _last_channel(layer: Layer) -> Dict[str, Sequence[int]]:
    shape = layer.inputs[0].shape
    return {'begin': [0, 0, 0, shape[3] - 1], 'end': shape, 'strides': [1] * 4}


Encode = Callable[[_Encoder, Layer, List[Tensor], List[Tensor]], None]


def _plain(options_type: str = 'NONE',
           options: Callable[[Layer], Dict[str, Any]] = lambda layer: {},
           constants: Callable[[Layer], Dict[str, Sequence[int]]] = lambda layer: {}) -> Encode:
    """Encodes a layer as one operator without weights.

    Args:
        options_type: the schema's table of options.
        options: fields of that table.
        constants: int32 inputs that follow the layer's own, by name.
    """
    def encode_plain(encoder: _Encoder, layer: Layer, inputs: List[Tensor],
                     outputs: List[Tensor]) -> None:
        further = [_constant(f'{layer.output.name}/{name}', values)
                   for name, values in constants(layer).items()]
        encoder.append(layer.kind, inputs + further, outputs, options_type, **options(layer))
    return encode_plain


KINDS: Dict[str, Encode] = {
    'CONV_2D': functools.partial(_convolution, options_type='Conv2DOptions', channel_axis=0),
    'DEPTHWISE_CONV_2D': functools.partial(
        _convolution, options_type='DepthwiseConv2DOptions', channel_axis=3, depthMultiplier=1),
    'TRANSPOSE_CONV': _transpose_conv,
    'ADD': _plain('AddOptions', _activation),
    'SUB': _plain('SubOptions', _activation),
    'MUL': _plain('MulOptions', _activation),
    'SQUARED_DIFFERENCE': _plain('SquaredDifferenceOptions'),
    'RSQRT': _plain(),
    'CONCATENATION': _plain('ConcatenationOptions', lambda layer: {'axis': 3}),
    'SPLIT': _split,
    'RESIZE_BILINEAR': _plain('ResizeBilinearOptions',
                              lambda layer: {'alignCorners': layer.align_corners},
                              lambda layer: {'size': layer.output.shape[1:3]}),
    'AVERAGE_POOL_2D': _plain('Pool2DOptions', _pool),
    'MEAN': _plain('ReducerOptions', lambda layer: {'keepDims': True},
                   lambda layer: {'axes': [1, 2]}),
    'LOGISTIC': _plain(),
    'SOFTMAX': _plain('SoftmaxOptions', lambda layer: {'beta': 1.0}),
    'STRIDED_SLICE': _plain('StridedSliceOptions', constants=_last_channel),
    'LUT': _lut,
}
