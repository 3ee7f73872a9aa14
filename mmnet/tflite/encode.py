"""Layers to tensors and operators: floats, or 8-bit numbers on the grid of fake quantization.

An 8-bit tensor stores real = scale (stored − zero_point). `uint8` stores 0 to 255, as in the
paper's day; `int8` stores the same numbers less 128. Weights have symmetric ranges, so that their
zero point is 128 or 0.
"""

from typing import Dict, List, Optional, Tuple

import numpy as np
from tensorflow_lite_support.metadata import schema_py_generated as schema

from mmnet.tflite import flatbuffer
from mmnet.tflite.flatbuffer import Operator, Quantization, Tensor
from mmnet.tflite.layers import Layer, Network, Range, Value
from mmnet.tflite.softmax import alpha_table


def encode(network: Network, precision: str, description: str) -> bytes:
    """The file of a network.

    Args:
        network: its values have ranges of 8 bits unless the precision is `float32`.
        precision: `float32`, `uint8` or `int8`. Files of the latter two take and return uint8.
        description: for whoever looks into the file.

    Raises:
        ValueError: for a value without a range, or of fewer bits.
    """
    encoder = _Encoder(precision)
    outer = 'uint8' if precision == 'int8' else precision
    image = encoder.tensor(network.input, outer)
    encoder.tensors[network.input] = encoder.converted(image, precision)
    for layer in network.layers:
        encoder.add(layer)
    alpha = encoder.converted(encoder.tensors[network.output], outer)
    return flatbuffer.write([image], [alpha], encoder.operators, description)


def encode_layer(layer: Layer, precision: str) -> bytes:
    """A file of one layer alone, its inputs and outputs of the precision's type."""
    encoder = _Encoder(precision)
    inputs = [encoder.tensor(value) for value in layer.inputs]
    encoder.tensors.update(zip(layer.inputs, inputs))
    encoder.add(layer)
    return flatbuffer.write(inputs, [encoder.tensors[value] for value in layer.outputs],
                            encoder.operators, layer.kind)


def grid(range: Range) -> Tuple[np.float32, int]:
    """Scale and zero point of a range's grid, its lowest number stored as 0 (1 if narrow).

    The range is shifted a little so that 0 lies on the grid, as `tf.fake_quant_with_min_max_vars`
    does it, in 32-bit floats as there.
    """
    lowest, highest = np.float32(range.narrow), np.float32(2 ** range.bits - 1)
    scale = (np.float32(range.high) - np.float32(range.low)) / (highest - lowest)
    zero_point = lowest - np.float32(range.low) / scale
    return scale, int(np.clip(np.floor(zero_point + np.float32(0.5)), lowest, highest))


def quantization_of(value: Value) -> Quantization:
    """How an activation is stored as uint8.

    Raises:
        ValueError: if it has no range, or one of fewer than 8 bits.
    """
    if value.range is None or value.range.bits != 8:
        raise ValueError('{} has {}; an 8-bit file needs one of 8 bits'.format(
            value.name, 'no quantization range' if value.range is None
            else 'a quantization range of {} bits'.format(value.range.bits)))
    scale, zero_point = grid(value.range)
    return Quantization(scale, np.int64(zero_point))


def cell_weights(weights: np.ndarray) -> np.ndarray:
    """The plain convolution that a transposed one of size 4 and stride 2 is.

    Pixel 2i + a of the result is made of pixels i + d of the source, d from −1 to 1, with the
    weights a + 1 − 2d, where there are such.

    Args:
        weights: `[4, 4, inputs, outputs]`.

    Returns:
        `[3, 3, inputs, 4 * outputs]`, the outputs of a cell by row, column and channel.
    """
    cells = np.zeros((3, 3, weights.shape[2], 2, 2, weights.shape[3]))
    taps = [(a, d, a + 1 - 2 * d) for a in (0, 1) for d in (-1, 0, 1) if 0 <= a + 1 - 2 * d < 4]
    for row, down, tap_y in taps:
        for column, right, tap_x in taps:
            cells[down + 1, right + 1, :, row, column] = weights[tap_y, tap_x]
    return cells.reshape(3, 3, weights.shape[2], -1)


class _Encoder:

    def __init__(self, precision: str):
        self._precision = precision
        self.tensors: Dict[Value, Tensor] = {}
        self.operators: List[Operator] = []

    def tensor(self, value: Value, dtype: Optional[str] = None) -> Tensor:
        """A new tensor for a value, of the precision's type unless another is given."""
        dtype = dtype or self._precision
        if dtype == 'float32':
            return Tensor(value.name, value.shape, dtype)
        quantization = quantization_of(value)
        if dtype == 'int8':
            quantization = quantization._replace(zero_point=quantization.zero_point - 128)
        return Tensor(value.name, value.shape, dtype, quantization)

    def converted(self, tensor: Tensor, dtype: str) -> Tensor:
        """The same numbers as uint8 or int8."""
        if tensor.dtype == dtype:
            return tensor
        shift = 128 if dtype == 'uint8' else -128
        quantization = tensor.quantization
        converted = Tensor(f'{tensor.name}_{dtype}', tensor.shape, dtype,
                           quantization._replace(zero_point=quantization.zero_point + shift))
        self.operators.append(Operator('QUANTIZE', [tensor], [converted], 'QuantizeOptions'))
        return converted

    def add(self, layer: Layer) -> None:
        """Appends a layer's operator."""
        inputs = [self.tensors[value] for value in layer.inputs]
        # What a table holds are bytes.
        dtype = 'uint8' if layer.kind == 'LUT' else None
        outputs = [self.tensor(value, dtype) for value in layer.outputs]
        self.tensors.update(zip(layer.outputs, outputs))
        getattr(self, '_' + layer.kind.lower())(layer, inputs, outputs)

    def _append(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor],
                options_type: str = 'NONE', **options) -> None:
        self.operators.append(Operator(layer.kind, inputs, outputs, options_type, options))

    def _constant(self, name: str, values, dtype: str = 'int32') -> Tensor:
        data = np.asarray(values, dtype)
        return Tensor(name, data.shape, dtype, data=data)

    def _weights(self, layer: Layer, source: Tensor, channel_axis: int) -> List[Tensor]:
        """The weights and the bias of a convolution; the weights' outputs lie on an axis."""
        name = layer.output.name
        # [h, w, inputs, outputs] to [outputs, h, w, inputs]; a depthwise one's are
        # [h, w, channels, 1] and [1, h, w, channels].
        weights = np.transpose(layer.weights, [3, 0, 1, 2])
        if self._precision == 'float32':
            return [Tensor(name + '/weights', weights.shape, 'float32', data=weights),
                    Tensor(name + '/bias', layer.bias.shape, 'float32', data=layer.bias)]
        if layer.weight_range is None:
            raise ValueError(f'the weights of {name} have no quantization range')
        scale, zero_point = grid(layer.weight_range)
        limit = 2 ** (layer.weight_range.bits - 1) - 1
        if zero_point != limit + 1:
            raise ValueError(f'the weights of {name} have no symmetric range')
        # As fake quantization rounds: halves up, on float32.
        steps = np.floor(weights.astype(np.float32) / scale + np.float32(0.5))
        shift = 128 if self._precision == 'uint8' else 0
        stored = np.clip(steps, -limit, limit) + shift
        bias_scale = np.float32(source.quantization.scale) * scale
        # The ranges were learned for all channels together, but runtimes want signed weights to
        # have a scale a channel; TensorFlow 1.15's reads past the end of a single one.
        channels = len(layer.bias) if self._precision == 'int8' else 1
        return [Tensor(name + '/weights', weights.shape, self._precision,
                       Quantization(np.repeat(scale, channels), np.repeat(shift, channels),
                                    # XNNPACK leaves out what has a single scale on an axis.
                                    channel_axis if channels > 1 else 0), stored),
                Tensor(name + '/bias', layer.bias.shape, 'int32',
                       Quantization(np.repeat(bias_scale, channels), np.zeros(channels)),
                       np.round(layer.bias / np.float64(bias_scale)))]

    def _convolution(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor],
                     options_type: str, channel_axis: int, **options) -> None:
        self._append(layer, inputs + self._weights(layer, inputs[0], channel_axis), outputs,
                     options_type, padding=schema.Padding.SAME, strideH=layer.stride,
                     strideW=layer.stride, dilationHFactor=layer.dilation,
                     dilationWFactor=layer.dilation,
                     fusedActivationFunction=_activation_function(layer), **options)

    def _conv_2d(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._convolution(layer, inputs, outputs, 'Conv2DOptions', channel_axis=0)

    def _depthwise_conv_2d(self, layer: Layer, inputs: List[Tensor],
                           outputs: List[Tensor]) -> None:
        self._convolution(layer, inputs, outputs, 'DepthwiseConv2DOptions', channel_axis=3,
                          depthMultiplier=1)

    def _transpose_conv(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        if self._precision != 'float32':
            self._shuffled_conv(layer, inputs, outputs)
            return
        shape = self._constant(layer.output.name + '/shape', layer.output.shape)
        weights, _ = self._weights(layer, inputs[0], channel_axis=0)
        self._append(layer, [shape, weights] + inputs, outputs, 'TransposeConvOptions',
                     padding=schema.Padding.SAME, strideH=layer.stride, strideW=layer.stride)

    def _shuffled_conv(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        """A transposed convolution as a plain one that makes all pixels of a cell at once.

        TensorFlow 1.15 has no signed transposed convolution. Its four pixels a cell, by row, column
        and channel, are moved to their places by a transposition.
        """
        height, width, channels = layer.output.shape[1:]
        name, range = layer.output.name, layer.output.range
        cells = Value(name + '/cells', (1, height // 2, width // 2, 4 * channels), range)
        rows = Value(name + '/rows', (height // 2, width // 2, 2, 2 * channels), range)
        turned = Value(name + '/turned', (height // 2, 2, width // 2, 2 * channels), range)
        made, split, moved = (self.tensor(value) for value in (cells, rows, turned))
        self._conv_2d(Layer('CONV_2D', layer.inputs, [cells], cell_weights(layer.weights),
                            layer.weight_range), inputs, [made])
        self._reshape(made, split)
        order = self._constant(name + '/order', [0, 2, 1, 3])
        self.operators.append(Operator('TRANSPOSE', [split, order], [moved], 'TransposeOptions'))
        self._reshape(moved, outputs[0])

    def _reshape(self, source: Tensor, target: Tensor) -> None:
        shape = self._constant(target.name + '/shape', target.shape)
        self.operators.append(Operator('RESHAPE', [source, shape], [target], 'ReshapeOptions',
                                       {'newShape': list(target.shape)}))

    def _add(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs, 'AddOptions',
                     fusedActivationFunction=_activation_function(layer))

    def _sub(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs, 'SubOptions',
                     fusedActivationFunction=_activation_function(layer))

    def _mul(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs, 'MulOptions',
                     fusedActivationFunction=_activation_function(layer))

    def _squared_difference(self, layer: Layer, inputs: List[Tensor],
                            outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs, 'SquaredDifferenceOptions')

    def _rsqrt(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs)

    def _concatenation(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs, 'ConcatenationOptions', axis=3)

    def _split(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        axis = self._constant(layer.inputs[0].name + '/axis', 3)
        self._append(layer, [axis] + inputs, outputs, 'SplitOptions', numSplits=len(outputs))

    def _resize_bilinear(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        size = self._constant(layer.output.name + '/size', layer.output.shape[1:3])
        self._append(layer, inputs + [size], outputs, 'ResizeBilinearOptions',
                     alignCorners=layer.align_corners)

    def _average_pool_2d(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs, 'Pool2DOptions', padding=schema.Padding.VALID,
                     strideH=layer.stride, strideW=layer.stride, filterHeight=layer.stride,
                     filterWidth=layer.stride)

    def _mean(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        axes = self._constant(layer.output.name + '/axes', [1, 2])
        self._append(layer, inputs + [axes], outputs, 'ReducerOptions', keepDims=True)

    def _logistic(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs)

    def _softmax(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        self._append(layer, inputs, outputs, 'SoftmaxOptions', beta=1.0)

    def _strided_slice(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        """The last channel."""
        begin, end, strides = (self._constant(f'{layer.output.name}/{name}', values)
                               for name, values in (
                                   ('begin', [0, 0, 0, layer.inputs[0].shape[3] - 1]),
                                   ('end', layer.inputs[0].shape), ('strides', [1] * 4)))
        self._append(layer, inputs + [begin, end, strides], outputs, 'StridedSliceOptions')

    def _lut(self, layer: Layer, inputs: List[Tensor], outputs: List[Tensor]) -> None:
        """Both bytes of a pixel are the indices of its alpha in a table of 256×256."""
        logits = self.converted(inputs[0], 'uint8')
        indices = Tensor('indices', logits.shape, 'int32')
        self.operators.append(Operator(
            'CAST', [logits], [indices], 'CastOptions',
            {'inDataType': schema.TensorType.UINT8, 'outDataType': schema.TensorType.INT32}))
        table = alpha_table(*logits.quantization[:2])
        constant = self._constant('alpha_table', table[:, :, np.newaxis], 'uint8')
        constant.quantization = outputs[0].quantization
        self.operators.append(Operator('GATHER_ND', [constant, indices], outputs,
                                       'GatherNdOptions'))


def _activation_function(layer: Layer) -> int:
    return getattr(schema.ActivationFunctionType, layer.activation)
