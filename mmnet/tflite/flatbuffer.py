"""Writes the TFLite file format: tensors and operators become a flatbuffer."""

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import flatbuffers
import numpy as np
from tensorflow_lite_support.metadata import schema_py_generated as schema

SCHEMA_VERSION = 3
FILE_IDENTIFIER = b'TFL3'
SIGNATURE = 'serving_default'
TYPES = {'float32': schema.TensorType.FLOAT32, 'float16': schema.TensorType.FLOAT16,
         'int32': schema.TensorType.INT32,
         'uint8': schema.TensorType.UINT8, 'int8': schema.TensorType.INT8}
# The oldest version of each operator that supports what is written here; 1 by default.
VERSIONS = {'DEPTHWISE_CONV_2D': {'float32': 2, 'uint8': 2, 'int8': 3},
            'CONV_2D': {'int8': 3}, 'ADD': {'int8': 2}, 'CONCATENATION': {'int8': 2},
            'SPLIT': {'int8': 2}, 'RESIZE_BILINEAR': {'int8': 2}, 'MEAN': {'int8': 2},
            'SOFTMAX': {'int8': 2}, 'LOGISTIC': {'int8': 2}, 'STRIDED_SLICE': {'int8': 2},
            'TRANSPOSE': {'int8': 2}, 'DEQUANTIZE': {'float32': 2}}


@dataclasses.dataclass(frozen=True)
class Quantization:
    """real = scale (stored − zero_point); several scales lie along `axis`."""
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = 0


class Tensor:
    """A tensor of the file; it is a constant if it has data."""

    def __init__(self, name: str, shape: Sequence[int], dtype: str,
                 quantization: Optional[Quantization] = None, data: Optional[np.ndarray] = None):
        self.name = name
        self.shape = tuple(shape)
        self.dtype = dtype
        self.quantization = quantization
        self.data = data


@dataclasses.dataclass(frozen=True)
class Operator:
    """A builtin operator; `options` are the fields of the schema's table `options_type`."""
    kind: str
    inputs: List[Tensor]
    outputs: List[Tensor]
    options_type: str = 'NONE'
    options: Dict[str, Any] = dataclasses.field(default_factory=dict)


def aligned_bytes(builder: flatbuffers.Builder, content: bytes) -> int:
    """Packs bytes at a multiple of 16; returns the offset of the vector."""
    builder.StartVector(1, len(content), 16)
    builder.head -= len(content)
    builder.Bytes[builder.head:builder.head + len(content)] = content
    return builder.EndVector(len(content))


class _AlignedBuffer(schema.BufferT):
    """A constant at a multiple of 16 bytes, where runtimes want it."""

    def Pack(self, builder: flatbuffers.Builder) -> int:
        vector = None
        if self.data is not None:
            vector = aligned_bytes(builder, self.data.tobytes())
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def write(inputs: Dict[str, Tensor], outputs: Dict[str, Tensor], operators: List[Operator],
          description: str, metadata: Optional[Dict[str, bytes]] = None) -> bytes:
    """Writes the bytes of a `.tflite` file.

    Args:
        inputs, outputs: of the model, by the names of its signature.
        operators: in the order in which they run.
        description: shown by model viewers.
        metadata: entries by name.
    """
    tensors: List[Tensor] = []
    for tensor in [*inputs.values(), *(tensor for operator in operators
                                       for tensor in operator.inputs + operator.outputs)]:
        if tensor not in tensors:
            tensors.append(tensor)
    index = {tensor: i for i, tensor in enumerate(tensors)}
    codes = sorted({(operator.kind, _version(operator)) for operator in operators})

    model = schema.ModelT()
    model.version = SCHEMA_VERSION
    model.description = description
    model.operatorCodes = [_operator_code(*code) for code in codes]
    # Buffer 0 is empty; all tensors without data share it.
    model.buffers = [_AlignedBuffer()]
    graph = schema.SubGraphT()
    graph.name = 'main'
    graph.tensors = [_tensor(tensor, model.buffers) for tensor in tensors]
    graph.inputs = [index[tensor] for tensor in inputs.values()]
    graph.outputs = [index[tensor] for tensor in outputs.values()]
    graph.operators = [_operator(operator, codes, index) for operator in operators]
    model.subgraphs = [graph]
    model.signatureDefs = [_signature(*({name: index[tensor] for name, tensor in named.items()}
                                        for named in (inputs, outputs)))]
    model.metadata = []
    for name, content in (metadata or {}).items():
        entry = schema.MetadataT()
        entry.name = name
        entry.buffer = _add_buffer(model.buffers, np.frombuffer(content, np.uint8))
        model.metadata.append(entry)
    return _finished(model)


def operator_counts(content: bytes) -> Dict[str, int]:
    """Counts the operators of a `.tflite` file by kind; custom ones count as `CUSTOM`."""
    counts: Dict[str, int] = {}
    model = _read(content)
    for operator in model.subgraphs[0].operators:
        kind = _kind(model, operator)
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def single_operators(content: bytes) -> List[Tuple[str, bytes]]:
    """Makes a file of each operator of a file; returns them with their kinds, in order."""
    model = _read(content)
    graph = model.subgraphs[0]
    # Metadata and signature describe the whole file. The constants of other operators would only
    # add size.
    model.metadata, model.signatureDefs, buffers = None, None, model.buffers
    parts = []
    for operator in graph.operators:
        needed = {graph.tensors[index].buffer for index in operator.inputs}
        model.buffers = [buffer if index in needed else schema.BufferT()
                         for index, buffer in enumerate(buffers)]
        part = schema.SubGraphT()
        part.tensors, part.operators = graph.tensors, [operator]
        part.outputs = operator.outputs
        part.inputs = sorted({index for index in operator.inputs
                              if buffers[graph.tensors[index].buffer].data is None})
        model.subgraphs = [part]
        parts.append((_kind(model, operator), _finished(model)))
    return parts


def convolutions(content: bytes) -> List[Tuple[np.ndarray, np.ndarray]]:
    """Reads the convolutions of a `.tflite` file, in order, in float32.

    Returns:
        weights and bias of each. Weights are `[H, W, I, O]`, or `[H, W, C, 1]` if depthwise.

    Raises:
        ValueError: for a file of another format, and for weights that are not constants.
    """
    if content[4:8] != FILE_IDENTIFIER:
        raise ValueError('is not a .tflite file')
    model = _read(content)
    found = []
    for operator in model.subgraphs[0].operators:
        kind = _kind(model, operator)
        if kind in ('CONV_2D', 'DEPTHWISE_CONV_2D'):
            weights, bias = (_constant(model, index) for index in operator.inputs[1:3])
            order = (1, 2, 3, 0)    # both kinds: a depthwise one is stored as [1, H, W, C]
            found.append((weights.transpose(order), bias))
    return found


def _constant(model: schema.ModelT, index: int) -> np.ndarray:
    """Returns a constant of the main graph as real numbers."""
    tensor = model.subgraphs[0].tensors[index]
    name = next((name for name, value in TYPES.items() if value == tensor.type), None)
    data = model.buffers[tensor.buffer].data
    if name is None or data is None:
        raise ValueError(f'its tensor {tensor.name.decode()} is not a constant of a known type')
    stored = np.frombuffer(data.tobytes(), name).reshape(tensor.shape)
    if name in ('float32', 'float16'):
        return stored.astype(np.float32)
    grid = tensor.quantization
    along = [1] * stored.ndim
    along[grid.quantizedDimension if len(grid.scale) > 1 else 0] = -1
    return ((stored.astype(np.float32) - np.reshape(grid.zeroPoint, along)) *
            np.reshape(grid.scale, along)).astype(np.float32)


def _read(content: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))


def _finished(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _kind(model: schema.ModelT, operator: schema.OperatorT) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return next(name for name, value in vars(schema.BuiltinOperator).items() if value == number)


def _version(operator: Operator) -> int:
    return VERSIONS.get(operator.kind, {}).get(operator.outputs[0].dtype, 1)


def _operator_code(kind: str, version: int) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    # Old runtimes read the deprecated field, new ones the larger of both.
    code.deprecatedBuiltinCode = code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.version = version
    return code


def _operator(operator: Operator, codes: Sequence[Tuple[str, int]],
              index: Mapping[Tensor, int]) -> schema.OperatorT:
    """Packs an operator; it names its kind and its tensors by their places in the file."""
    packed = schema.OperatorT()
    packed.opcodeIndex = codes.index((operator.kind, _version(operator)))
    packed.inputs = [index[tensor] for tensor in operator.inputs]
    packed.outputs = [index[tensor] for tensor in operator.outputs]
    if operator.options_type != 'NONE':
        packed.builtinOptionsType = getattr(schema.BuiltinOptions, operator.options_type)
        packed.builtinOptions = getattr(schema, operator.options_type + 'T')()
        for field, value in operator.options.items():
            setattr(packed.builtinOptions, field, value)
    return packed


def _signature(inputs: Dict[str, int], outputs: Dict[str, int]) -> schema.SignatureDefT:
    """Names the tensors that go in and out, for runtimes that ask for them by name."""
    def mapped(indices: Dict[str, int]) -> List[schema.TensorMapT]:
        maps = []
        for name, tensor_index in indices.items():
            maps.append(schema.TensorMapT())
            maps[-1].name, maps[-1].tensorIndex = name, tensor_index
        return maps
    signature = schema.SignatureDefT()
    signature.inputs, signature.outputs = mapped(inputs), mapped(outputs)
    # Runtimes find it by the key or by the method's name, depending on their age.
    signature.key = signature.methodName = SIGNATURE
    return signature


def _tensor(tensor: Tensor, buffers: List[schema.BufferT]) -> schema.TensorT:
    packed = schema.TensorT()
    packed.name = tensor.name
    packed.shape = list(tensor.shape)
    packed.type = TYPES[tensor.dtype]
    packed.buffer = 0
    if tensor.data is not None:
        packed.buffer = _add_buffer(buffers, np.ascontiguousarray(tensor.data, tensor.dtype))
    if tensor.quantization is not None:
        packed.quantization = schema.QuantizationParametersT()
        packed.quantization.scale = np.atleast_1d(tensor.quantization.scale).astype(np.float32)
        packed.quantization.zeroPoint = np.atleast_1d(
            tensor.quantization.zero_point).astype(np.int64)
        packed.quantization.quantizedDimension = tensor.quantization.axis
    return packed


def _add_buffer(buffers: List[schema.BufferT], data: np.ndarray) -> int:
    """Appends a constant; returns its number."""
    buffers.append(_AlignedBuffer())
    buffers[-1].data = data
    return len(buffers) - 1
