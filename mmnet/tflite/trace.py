"""Reads an inference graph into layers, backwards from its output."""

from typing import Callable, Dict, Iterator, List, Optional, Set, Tuple

import numpy as np
import tensorflow as tf

from mmnet.quantization import FAKE_QUANT, FAKE_QUANT_PER_CHANNEL
from mmnet.tflite.layers import Layer, LayerGraph, Range, Value, split_conv

# These operations change nothing in inference.
PASS_THROUGH = ('Identity', 'IdentityN')
CONVOLUTIONS = {'Conv2D': 'CONV_2D', 'DepthwiseConv2dNative': 'DEPTHWISE_CONV_2D'}
# These operations become one operator of the file.
OPERATORS = {'SquaredDifference': 'SQUARED_DIFFERENCE', 'Rsqrt': 'RSQRT', 'Sigmoid': 'LOGISTIC'}
# These operators can have an activation.
ACTIVATED = ('CONV_2D', 'DEPTHWISE_CONV_2D', 'ADD', 'SUB', 'MUL')
# Pixels 0 to 255 mean [0, 1].
PIXELS = Range(0.0, 1.0, 8)
ACTIVATIONS = {'Relu': 'RELU', 'Relu6': 'RELU6'}


def trace(session: tf.Session, images: tf.Tensor, output: tf.Tensor) -> LayerGraph:
    """Reads the layers between two tensors of a graph that was built for inference.

    Convolutions absorb batch norm, biases and activations; the space-to-batch pairs around dilated
    convolutions become their dilation. Channels that are scaled or shifted after any other layer
    become a depthwise 1×1 convolution.

    Args:
        session: holds the variables' values.
        images: the placeholder, `[1, H, W, 3]`, or 4 channels in a network with a memory.
        output: the tensor that ends the network.

    Raises:
        ValueError: for an operation that cannot be exported; names it.
    """
    path = _path(images, output)
    tracer = _Tracer(session, images, path)
    # Going in order keeps the recursion shallow.
    for op in path:
        if op.type != 'SpaceToBatchND' and op.inputs[0].op.type != 'SpaceToBatchND':
            tracer.value(op.outputs[0])
    return LayerGraph(tracer.input, tracer.value(output), tracer.layers)


def _path(images: tf.Tensor, output: tf.Tensor) -> List[tf.Operation]:
    """Lists the operations between two tensors, each after those that it reads."""
    reached, queue = {images.op}, [images.op]
    while queue:
        for tensor in queue.pop().outputs:
            fresh = set(tensor.consumers()) - reached
            reached |= fresh
            queue.extend(fresh)
    ordered, stack, visited = [], [output.op], {images.op}
    while stack:
        op = stack[-1]
        waiting = [tensor.op for tensor in op.inputs
                   if tensor.op in reached and tensor.op not in visited]
        if waiting:
            stack.append(waiting[0])
            continue
        stack.pop()
        if op not in visited:
            visited.add(op)
            ordered.append(op)
    return ordered


def _constants(path: Set[tf.Operation]) -> Iterator[tf.Tensor]:
    """Yields the tensors that the operations read and that do not depend on the images."""
    for op in path:
        for tensor in op.inputs:
            if tensor.op not in path:
                yield tensor
                rounding = _rounding(tensor)
                if rounding is not None:
                    yield from rounding.inputs


def _rounding(weights: tf.Tensor) -> Optional[tf.Operation]:
    """Returns the node that rounded weights, if one did."""
    op = weights.op.inputs[0].op if weights.op.type == 'Reshape' else weights.op
    return op if op.type in (FAKE_QUANT, FAKE_QUANT_PER_CHANNEL) else None


class _Tracer:
    """Collects the layers of a graph, by a handler for each type of operation."""

    def __init__(self, session: tf.Session, images: tf.Tensor, path: List[tf.Operation]):
        self._path = set(path) | {images.op}
        self._graph = images.graph
        # One run reads all constants; separate runs would each cost as much.
        self._constants = session.run({tensor.name: tensor for tensor in _constants(self._path)})
        self.input = Value('input', images.shape.as_list(), PIXELS)
        self.layers: List[Layer] = []
        self._values: Dict[str, Value] = {}
        self._enter(images, self.input)
        self._handlers: Dict[str, Callable[[tf.Operation], Optional[Value]]] = {
            'FusedBatchNormV3': self._batch_norm, 'BiasAdd': self._add, 'Add': self._add,
            'AddV2': self._add, 'AddN': self._add_all, 'Sub': self._sub, 'Mul': self._mul,
            'Pad': self._pad, 'BatchToSpaceND': self._dilated,
            'Conv2DBackpropInput': self._transposed,
            'ConcatV2': self._concat, 'Split': self._split, 'AvgPool': self._average,
            'ResizeBilinear': self._resize, 'Mean': self._mean, 'Tile': self._tile,
            FAKE_QUANT: self._fake_quant,
        }
        self._handlers.update(dict.fromkeys(OPERATORS, self._operator))
        self._handlers.update(dict.fromkeys(PASS_THROUGH, self._pass_through))
        self._handlers.update(dict.fromkeys(CONVOLUTIONS, self._convolution))
        self._handlers.update(dict.fromkeys(ACTIVATIONS, self._activation))

    def value(self, tensor: tf.Tensor) -> Value:
        """Returns the activation that a tensor holds; reads its layers if need be."""
        if tensor.name not in self._values:
            op = tensor.op
            if op.type not in self._handlers:
                raise ValueError(f'the operation {op.name} ({op.type}) cannot be exported')
            value = self._handlers[op.type](op)
            if value is not None:   # an operation with several outputs enters them itself
                self._enter(tensor, value)
        return self._values[tensor.name]

    def _enter(self, tensor: tf.Tensor, value: Value) -> None:
        self._values[tensor.name] = value
        value.tensor = tensor.name

    def _constant(self, tensor: tf.Tensor) -> np.ndarray:
        return self._constants[tensor.name]

    def _append(self, kind: str, op: tf.Operation, inputs: List[Value], **settings) -> Layer:
        # Batch norm's other outputs are for training.
        tensors = op.outputs if kind == 'SPLIT' else op.outputs[:1]
        outputs = [Value(tensor.op.name if tensor.value_index == 0 else tensor.name,
                         [1] + tensor.shape.as_list()[1:]) for tensor in tensors]
        self.layers.append(Layer(kind, inputs, outputs, **settings))
        return self.layers[-1]

    def _pass_through(self, op: tf.Operation) -> Value:
        return self.value(op.inputs[0])

    def _convolution(self, op: tf.Operation, dilation: int = 1,
                     source: Optional[tf.Tensor] = None) -> Value:
        strides = op.get_attr('strides')
        padding = op.get_attr('padding').decode()
        unpadded = op.inputs[1].shape.as_list()[:2] == [1, 1]
        if strides[1] != strides[2] or not (padding == 'SAME' or unpadded or source is not None):
            raise ValueError(f'the convolution {op.name} has strides {strides[1:3]} and padding '
                             f'{padding}; only equal strides and SAME can be exported')
        inputs = self.value(op.inputs[0] if source is None else source)
        layer = self._weighted(CONVOLUTIONS[op.type], op, inputs, op.inputs[1], stride=strides[1],
                               dilation=dilation)
        if op.type == 'DepthwiseConv2dNative' and layer.weights.shape[3] != 1:
            raise ValueError(f'the depthwise convolution {op.name} has a depth multiplier; only 1 '
                             f'can be exported')
        if source is not None:
            layer.output.shape = inputs.shape[:3] + layer.output.shape[3:]
        return layer.output

    def _transposed(self, op: tf.Operation) -> Value:
        """Reads a transposed convolution; its weights become `[h, w, inputs, outputs]`."""
        layer = self._weighted('TRANSPOSE_CONV', op, self.value(op.inputs[2]), op.inputs[1],
                               stride=op.get_attr('strides')[1])
        layer.weights = np.swapaxes(layer.weights, 2, 3)
        return layer.output

    def _weighted(self, kind: str, op: tf.Operation, inputs: Value, weights: tf.Tensor,
                  **settings) -> Layer:
        """Appends a layer with the weights of an operation, and their range if they have one."""
        ranges: List[Range] = []
        values, rounding = self._constant(weights), _rounding(weights)
        if rounding is not None:
            values = self._constant(rounding.inputs[0]).reshape(values.shape)
            ranges = ([self._range(rounding)] if rounding.type == FAKE_QUANT
                      else self._channel_ranges(rounding))
        return self._append(kind, op, [inputs], weights=values.astype(np.float64),
                            weight_ranges=ranges, **settings)

    def _dilated(self, op: tf.Operation) -> Value:
        """Reads a dilated convolution: SpaceToBatchND, convolution, BatchToSpaceND."""
        convolution = op.inputs[0].op
        to_batch = convolution.inputs[0].op
        if convolution.type not in CONVOLUTIONS or to_batch.type != 'SpaceToBatchND':
            raise ValueError(f'{op.name} is not part of a dilated convolution')
        dilation, crops = self._constant(op.inputs[1]), self._constant(op.inputs[2])
        paddings = self._constant(to_batch.inputs[2])
        kernel = np.array(convolution.inputs[1].shape.as_list()[:2])
        # The padding that is not cropped again is the convolution's own.
        total = (paddings - crops).sum(axis=1)
        if dilation[0] != dilation[1] or (total != (kernel - 1) * dilation).any():
            raise ValueError(f'the dilated convolution {convolution.name} is not padded as SAME')
        return self._convolution(convolution, int(dilation[0]), source=to_batch.inputs[0])

    def _batch_norm(self, op: tf.Operation) -> Value:
        """Reads y = γ (x − μ) / √(σ² + ε) + β as a scale of the weights and a bias."""
        gamma, beta, mean, variance = (self._constant(tensor).astype(np.float64)
                                       for tensor in op.inputs[1:])
        scale = gamma / np.sqrt(variance + op.get_attr('epsilon'))
        return self._affine(op, op.inputs[0], scale, beta - mean * scale)

    def _operands(self, op: tf.Operation) -> Tuple[tf.Tensor, Optional[np.ndarray]]:
        """Returns an activation and, if the other operand is one, a constant."""
        first, second = op.inputs
        if second.op not in self._path:
            return first, self._constant(second)
        if first.op not in self._path:
            return second, self._constant(first)
        return first, None

    def _add(self, op: tf.Operation) -> Value:
        source, constant = self._operands(op)
        if constant is None:
            return self._binary('ADD', op)
        return self._affine(op, source, 1.0, constant)

    def _add_all(self, op: tf.Operation) -> Value:
        first, *others = [self.value(tensor) for tensor in op.inputs]
        for index, other in enumerate(others):
            layer = self._append('ADD', op, [first, other])
            first = layer.output
            if index < len(others) - 1:
                first.name += f'/{index}'
        return first

    def _sub(self, op: tf.Operation) -> Value:
        source, constant = self._operands(op)
        if constant is None:
            return self._binary('SUB', op)
        if source is op.inputs[1]:
            return self._affine(op, source, -1.0, constant)
        return self._affine(op, source, 1.0, -constant)

    def _mul(self, op: tf.Operation) -> Value:
        source, constant = self._operands(op)
        if constant is None:
            return self._binary('MUL', op)
        return self._affine(op, source, constant, 0.0)

    def _binary(self, kind: str, op: tf.Operation) -> Value:
        return self._append(kind, op, [self.value(tensor) for tensor in op.inputs]).output

    def _operator(self, op: tf.Operation) -> Value:
        return self._binary(OPERATORS[op.type], op)

    def _affine(self, op: tf.Operation, source: tf.Tensor, scale: np.ndarray,
                shift: np.ndarray) -> Value:
        """Scales and shifts channels, through the convolution before them if there is one."""
        value = self.value(source)
        layer = self._own_layer(value)
        if layer is None or layer.weights is None or layer.kind == 'TRANSPOSE_CONV':
            layer = self._append('DEPTHWISE_CONV_2D', op, [value],
                                 weights=np.ones([1, 1, value.shape[3], 1]))
        depthwise = layer.kind == 'DEPTHWISE_CONV_2D'
        scale = np.broadcast_to(np.float64(scale), layer.bias.shape)
        layer.weights = layer.weights * (scale[:, np.newaxis] if depthwise else scale)
        layer.bias = layer.bias * scale + shift
        if depthwise and layer.weights.shape[:2] == (1, 1) and np.ptp(layer.weights) == 0:
            # A single value is exact on any grid that ends at it.
            limit = abs(layer.weights).max()
            layer.weight_ranges = [Range(-limit, limit, 8, narrow=True)]
        return layer.output

    def _pad(self, op: tf.Operation) -> Value:
        """Reads channels of zeros in front of a convolution's as weights of zeros."""
        paddings = self._constant(op.inputs[1])
        value = self.value(op.inputs[0])
        layer = self._own_layer(value)
        if paddings[:3].any() or paddings[3, 1] or layer is None or layer.kind != 'CONV_2D':
            raise ValueError(f'{op.name} pads more than the front of a convolution\'s channels')
        layer.weights = np.pad(layer.weights, [(0, 0)] * 3 + [tuple(paddings[3])], 'constant')
        layer.bias = np.pad(layer.bias, tuple(paddings[3]), 'constant')
        value.shape = value.shape[:3] + layer.bias.shape
        return value

    def _activation(self, op: tf.Operation) -> Value:
        value = self.value(op.inputs[0])
        layer = self._own_layer(value)
        if layer is None or layer.kind not in ACTIVATED:
            raise ValueError(f'the operation {op.name} ({op.type}) follows no layer that could '
                             f'absorb it')
        layer.activation = ACTIVATIONS[op.type]
        return value

    def _own_layer(self, value: Value) -> Optional[Layer]:
        """Returns the layer that writes a value, if it can absorb an operation on the value.

        It can if nothing else reads the value and nothing follows the layer yet.
        """
        layer = next((layer for layer in self.layers if value in layer.outputs), None)
        if layer is None or layer.activation != 'NONE' or value.range is not None:
            return None
        # Some readers may not have been traced yet, and some read an identity of the value.
        readers = {op for name, each in self._values.items() if each is value
                   for op in self._readers_through(self._graph.get_tensor_by_name(name))
                   if self._values.get(op.outputs[0].name) is not value}
        return layer if len(readers) == 1 else None

    def _readers_of(self, tensor: tf.Tensor) -> Set[tf.Operation]:
        return self._path.intersection(tensor.consumers())

    def _readers_through(self, tensor: tf.Tensor) -> Iterator[tf.Operation]:
        """Yields the operations that read a tensor, also through operations that change nothing."""
        for op in self._readers_of(tensor):
            if op.type in PASS_THROUGH:
                yield from self._readers_through(op.outputs[0])
            else:
                yield op

    def _fake_quant(self, op: tf.Operation) -> Value:
        value = self.value(op.inputs[0])
        found = self._range(op)
        if value.range is not None and value.range != found:
            raise ValueError(f'{op.name} quantizes a tensor that has another range already')
        value.range = found
        return value

    def _range(self, op: tf.Operation) -> Range:
        low, high = self._constant(op.inputs[1]), self._constant(op.inputs[2])
        return Range(float(low), float(high), op.get_attr('num_bits'),
                     op.get_attr('narrow_range'))

    def _channel_ranges(self, op: tf.Operation) -> List[Range]:
        return [Range(float(low), float(high), op.get_attr('num_bits'), op.get_attr('narrow_range'))
                for low, high in zip(*(self._constant(tensor) for tensor in op.inputs[1:]))]

    def _concat(self, op: tf.Operation) -> Value:
        if self._constant(op.inputs[-1]) not in (3, -1):
            raise ValueError(f'{op.name} does not concatenate channels')
        parts = [self.value(tensor) for tensor in op.inputs[:-1]]
        value = self._append('CONCATENATION', op, parts).output
        if len({part.range for part in parts}) == 1:
            value.range = parts[0].range
        return value

    def _split(self, op: tf.Operation) -> None:
        if self._constant(op.inputs[0]) not in (3, -1):
            raise ValueError(f'{op.name} does not split channels')
        source = self.value(op.inputs[1])
        wide = self._own_layer(source)
        if wide is not None and wide.kind == 'CONV_2D' and len(self._readers_of(op.inputs[1])) == 1:
            # Separate convolutions can absorb the operations that follow.
            self._split_conv(wide, op)
            return
        layer = self._append('SPLIT', op, [source])
        for tensor, value in zip(op.outputs, layer.outputs):
            value.range = source.range
            self._enter(tensor, value)

    def _split_conv(self, wide: Layer, split: tf.Operation) -> None:
        """Makes a convolution for each part of the split channels."""
        self.layers.remove(wide)
        channels = split.outputs[0].shape[3].value
        values = [Value(tensor.name.replace(':', '_'), wide.output.shape[:3] + (channels,))
                  for tensor in split.outputs]
        self.layers += split_conv(wide, values)
        for tensor, value in zip(split.outputs, values):
            self._enter(tensor, value)

    def _average(self, op: tf.Operation) -> Value:
        """Reads average pooling without overlap."""
        size, strides = op.get_attr('ksize'), op.get_attr('strides')
        source = self.value(op.inputs[0])
        if size != strides or size[1] != size[2] or source.shape[1] % size[1] or \
                source.shape[2] % size[1]:
            raise ValueError(f'{op.name} pools with overlap or a remainder')
        return self._append('AVERAGE_POOL_2D', op, [source], stride=size[1]).output

    def _resize(self, op: tf.Operation) -> Value:
        if op.get_attr('half_pixel_centers'):
            raise ValueError(f'{op.name} has half-pixel centres, which old runtimes lack')
        return self._append('RESIZE_BILINEAR', op, [self.value(op.inputs[0])],
                            align_corners=op.get_attr('align_corners')).output

    def _mean(self, op: tf.Operation) -> Value:
        if sorted(np.atleast_1d(self._constant(op.inputs[1]))) != [1, 2] or \
                not op.get_attr('keep_dims'):
            raise ValueError(f'{op.name} does not average over height and width')
        return self._append('MEAN', op, [self.value(op.inputs[0])]).output

    def _tile(self, op: tf.Operation) -> Value:
        """Reads the repetition of a pixel as a resize, which all runtimes have in 8 bits."""
        source = self.value(op.inputs[0])
        if source.shape[1:3] != (1, 1) or op.outputs[0].shape[3].value != source.shape[3]:
            raise ValueError(f'{op.name} repeats more than a single pixel')
        # With aligned corners, all of the result lies on the pixel itself: nothing is rounded.
        value = self._append('RESIZE_BILINEAR', op, [source], align_corners=True).output
        value.range = source.range
        return value
