"""Checks that a float network suits GPUs, which compute in half precision.

float16 has an 11-bit significand and overflows above 65,504. Here TensorFlow's float16 kernels run
each layer on the float16 output of the layers before it, and round every product and sum.

    reports = check(exported, image)
"""

from typing import Callable, Dict, List, NamedTuple, Union

import numpy as np
import tensorflow as tf

from mmnet.errors import UserError
from mmnet.tflite.export import Export
from mmnet.tflite.layers import Layer, LayerGraph

# What TensorFlow Lite's GPU delegate takes, of all that is exported.
ACCEPTED = {'ADD', 'AVERAGE_POOL_2D', 'CONCATENATION', 'CONV_2D', 'DEPTHWISE_CONV_2D', 'LOGISTIC',
            'MEAN', 'MUL', 'RESIZE_BILINEAR', 'RSQRT', 'SOFTMAX', 'SPLIT', 'SQUARED_DIFFERENCE',
            'STRIDED_SLICE', 'SUB', 'TRANSPOSE_CONV'}
# The largest alpha error to expect: float16 steps by 2⁻¹¹ near 1, and errors add up.
TOLERANCE = 0.05


class LayerReport(NamedTuple):
    """What half precision does to a layer.

    Attributes:
        name, kind: of the layer.
        largest: |value| at most, in float32.
        error: |half − float32| at most.
        overflowed: whether a value or a sum on the way became infinite.
    """
    name: str
    kind: str
    largest: float
    error: float
    overflowed: bool


def check(exported: Export, image: np.ndarray) -> List[LayerReport]:
    """Runs a network in half precision and compares it with float32.

    Args:
        exported: a float network.
        image: uint8 RGB `[S, S, 3]`; a memory adds the previous alpha.

    Returns:
        a report for each layer, in their order.

    Raises:
        UserError: names layers that a GPU refuses or that overflow, or an alpha that is off.
    """
    refused = [f'{layer.output.name} ({layer.kind})' for layer in exported.network.layers
               if layer.kind not in ACCEPTED]
    if refused:
        raise UserError(f'--check gpu: the GPU delegate refuses {", ".join(refused)}; run this '
                        f'network on a CPU')
    reports = run_in_float16(exported.network, image)
    overflowed = [each.name for each in reports if each.overflowed]
    if overflowed:
        raise UserError(f'--check gpu: {overflowed[0]} overflows in half precision, the first of '
                        f'{len(overflowed)} layers; run this network on a CPU')
    if reports[-1].error > TOLERANCE:
        raise UserError(f'--check gpu: α is off by {reports[-1].error:.2g} in half precision; run '
                        f'this network on a CPU')
    return reports


def run_in_float16(network: LayerGraph, image: np.ndarray) -> List[LayerReport]:
    """Runs every layer in float16 and float32; see `check`."""
    pixels = image[np.newaxis] * np.float32(1 / 255)
    results = []
    for dtype in (tf.float16, tf.float32):
        with tf.Graph().as_default(), tf.Session() as session:
            tensors = {network.input: tf.constant(pixels.astype(dtype.as_numpy_dtype))}
            for layer in network.layers:
                made = RUN[layer.kind](layer, [tensors[value] for value in layer.inputs])
                made = made if isinstance(made, list) else [made]
                tensors.update(zip(layer.outputs, map(_activation(layer), made)))
            results.append(session.run([[tensors[value] for value in layer.outputs]
                                        for layer in network.layers]))
    reports = []
    for layer, rounded, floats in zip(network.layers, *results):
        half, exact = (np.concatenate([each.ravel() for each in parts]).astype(np.float32)
                       for parts in (rounded, floats))
        reports.append(LayerReport(layer.outputs[0].name, layer.kind, float(np.abs(exact).max()),
                                   float(np.abs(half - exact).max()),
                                   not np.all(np.isfinite(half))))
    return reports


RunLayer = Callable[[Layer, List[tf.Tensor]], Union[tf.Tensor, List[tf.Tensor]]]


def _weights(layer: Layer, like: tf.Tensor) -> List[tf.Tensor]:
    return [tf.constant(values.astype(like.dtype.as_numpy_dtype))
            for values in (layer.weights, layer.bias)]


def _conv(layer: Layer, inputs: List[tf.Tensor]) -> tf.Tensor:
    weights, bias = _weights(layer, inputs[0])
    return tf.nn.convolution(inputs[0], weights, 'SAME', [layer.stride] * 2,
                             [layer.dilation] * 2) + bias


def _depthwise(layer: Layer, inputs: List[tf.Tensor]) -> tf.Tensor:
    weights, bias = _weights(layer, inputs[0])
    return tf.nn.depthwise_conv2d(inputs[0], weights, [1, layer.stride, layer.stride, 1], 'SAME',
                                  [layer.dilation] * 2) + bias


def _transpose_conv(layer: Layer, inputs: List[tf.Tensor]) -> tf.Tensor:
    weights, _ = _weights(layer, inputs[0])
    return tf.nn.conv2d_transpose(inputs[0], weights, layer.output.shape, layer.stride)


def _pool(layer: Layer, inputs: List[tf.Tensor]) -> tf.Tensor:
    return tf.nn.avg_pool2d(inputs[0], layer.stride, layer.stride, 'VALID')


def _mean(layer: Layer, inputs: List[tf.Tensor]) -> tf.Tensor:
    # A GPU sums before it divides. It adds partial sums, so that no small number is lost beside a
    # large one.
    height, width = layer.inputs[0].shape[1:3]
    total = tf.reduce_sum(tf.cast(inputs[0], tf.float32), [1, 2], keepdims=True)
    return tf.cast(total, inputs[0].dtype) * (1 / (height * width))


def _resize(layer: Layer, inputs: List[tf.Tensor]) -> tf.Tensor:
    resized = tf.image.resize_bilinear(inputs[0], layer.output.shape[1:3],
                                       align_corners=layer.align_corners)
    return tf.cast(resized, inputs[0].dtype)


def _activation(layer: Layer) -> Callable[[tf.Tensor], tf.Tensor]:
    return {'NONE': tf.identity, 'RELU': tf.nn.relu, 'RELU6': tf.nn.relu6}[layer.activation]


RUN: Dict[str, RunLayer] = {
    'CONV_2D': _conv,
    'DEPTHWISE_CONV_2D': _depthwise,
    'TRANSPOSE_CONV': _transpose_conv,
    'AVERAGE_POOL_2D': _pool,
    'MEAN': _mean,
    'RESIZE_BILINEAR': _resize,
    'ADD': lambda layer, inputs: tf.add(*inputs),
    'SUB': lambda layer, inputs: tf.subtract(*inputs),
    'MUL': lambda layer, inputs: tf.multiply(*inputs),
    'SQUARED_DIFFERENCE': lambda layer, inputs: tf.squared_difference(*inputs),
    'RSQRT': lambda layer, inputs: tf.rsqrt(inputs[0]),
    'CONCATENATION': lambda layer, inputs: tf.concat(inputs, 3),
    'SPLIT': lambda layer, inputs: tf.split(inputs[0], len(layer.outputs), 3),
    'LOGISTIC': lambda layer, inputs: tf.sigmoid(inputs[0]),
    'SOFTMAX': lambda layer, inputs: tf.nn.softmax(inputs[0]),
    'STRIDED_SLICE': lambda layer, inputs: inputs[0][..., -1:],
}
