"""Gradients for CPUs that take less time and memory; the forward graph stays as it is.

Faster: TensorFlow 1.15's gradient of a 1×1 convolution goes through im2col, and that of fused
batch norm passes over its input many times. Matrix products compute the same numbers here. Where
batch norm follows a 1×1 expansion, they need no pass over the expanded tensor.

Less memory: the backward pass recomputes large activations that follow cheaply from kept ones.

Only gradients are replaced, so networks read as before and quantization finds its layers.
`train.py --stock_gradients` does without this module.
"""

import dataclasses
import weakref
from typing import ContextManager, Dict, List, MutableMapping, Optional, Tuple

import tensorflow as tf
from tensorflow.python.ops import gen_nn_ops, nn_grad

# Tensors of at least this many bytes are recomputed rather than kept. With 8 MiB instead, a step
# at 256×256 and batch 32 took 2.6 GB and 0.82 of the authors' time (scripts/benchmark_step.py).
# Keeping everything took 4.1 GB and 0.69.
LARGE = 10 * 2 ** 20


@dataclasses.dataclass(frozen=True)
class BatchNormGrad:
    """The gradient ∂x = a ∂y + b x + c of a batch norm after an expansion x = in · W, in parts.

    Attributes:
        grad: ∂y, `[P, outputs]`.
        grad_scale: a, `[outputs]`.
        x_scale: b, `[outputs]`.
        offset: c, `[outputs]`.
        product: inᵀ ∂y, `[inputs, outputs]`.
    """
    grad: tf.Tensor
    grad_scale: tf.Tensor
    x_scale: tf.Tensor
    offset: tf.Tensor
    product: tf.Tensor


# By graph, then by name: recomputed tensors, and the parts of batch norms' gradients.
_recomputed: MutableMapping[tf.Graph, Dict[str, tf.Tensor]] = weakref.WeakKeyDictionary()
_batch_norm_grads: MutableMapping[tf.Graph, Dict[str, BatchNormGrad]] = weakref.WeakKeyDictionary()


def cpu_gradients(graph: tf.Graph) -> ContextManager:
    """Returns a context in which operations get the gradients below.

    Use it where no GPU is visible; a GPU has fast kernels of its own.
    """
    return graph.gradient_override_map({
        'Conv2D': 'PointwiseConv2D', 'DepthwiseConv2dNative': 'RecomputedDepthwiseConv2D',
        'FusedBatchNormV3': 'MatmulBatchNorm', 'Relu6': 'RecomputedRelu6'})


@tf.RegisterGradient('PointwiseConv2D')
def _conv2d_gradient(op: tf.Operation, grad: tf.Tensor) -> List[Optional[tf.Tensor]]:
    """Computes a 1×1 convolution's gradient by matrix products; others keep TensorFlow's.

    With the batch norm's ∂x = a ∂y + b x + c, x = in · W, and the scales taken along columns:
    ∂W  = inᵀ ∂x = a inᵀ∂y + b (inᵀin) W + inᵀ1 cᵀ
    ∂in = ∂x Wᵀ = ∂y (a W)ᵀ + in (b W) Wᵀ + 1 (W c)ᵀ
    Neither x nor ∂x is needed, and both are as large as the expansion.
    """
    inputs, weights = op.inputs
    if not _is_pointwise(op):
        return nn_grad._Conv2DGrad(op, grad)
    flat_inputs, matrix = _flat(_recompute(inputs, grad)), _flat(weights)
    parts = _batch_norm_grads.get(grad.graph, {}).get(grad.name)
    if parts is None:
        flat_grad = _flat(grad)
        weights_grad = _product(flat_inputs, flat_grad)
        inputs_grad = tf.matmul(flat_grad, matrix, transpose_b=True)
    else:
        scaled = matrix * parts.x_scale
        gram = _product(flat_inputs, flat_inputs)
        weights_grad = (parts.product * parts.grad_scale + tf.matmul(gram, scaled) +
                        _sum(inputs)[:, tf.newaxis] * parts.offset)
        inputs_grad = (
            tf.matmul(parts.grad, matrix * parts.grad_scale, transpose_b=True) +
            tf.nn.bias_add(tf.matmul(flat_inputs, tf.matmul(scaled, matrix, transpose_b=True)),
                           tf.linalg.matvec(matrix, parts.offset)))
    return [tf.reshape(inputs_grad, _shape(inputs)), tf.reshape(weights_grad, weights.shape)]


@tf.RegisterGradient('RecomputedDepthwiseConv2D')
def _depthwise_gradient(op: tf.Operation, grad: tf.Tensor) -> List[tf.Tensor]:
    inputs, weights = op.inputs
    attributes = {name: op.get_attr(name) for name in ('strides', 'padding', 'data_format')}
    return [tf.nn.depthwise_conv2d_native_backprop_input(
                _shape(inputs), weights, grad, **attributes),
            tf.nn.depthwise_conv2d_native_backprop_filter(
                _recompute(inputs, grad), weights.shape.as_list(), grad, **attributes)]


@tf.RegisterGradient('RecomputedRelu6')
def _relu6_gradient(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    return gen_nn_ops.relu6_grad(grad, _recompute(op.outputs[0], grad))


@tf.RegisterGradient('MatmulBatchNorm')
def _batch_norm_gradient(op: tf.Operation, grad: tf.Tensor, *others) -> List[Optional[tf.Tensor]]:
    """Computes batch norm's gradient; its sums over pixels are matrix products with ones.

    With x̂ = (x − μ)/σ and Σ over the P pixels of the batch:
    ∂γ = Σ ∂y x̂,  ∂β = Σ ∂y,  ∂x = γ/σ (∂y − ∂β/P − x̂ ∂γ/P).
    """
    if not op.get_attr('is_training'):
        return nn_grad._FusedBatchNormV3Grad(op, grad, *others)
    x, gamma = op.inputs[:2]
    mean, variance = op.outputs[3:5]
    flat_grad = _flat(grad)
    inverse_deviation = tf.rsqrt(variance + op.get_attr('epsilon'))
    beta_grad = _sum(grad)
    expansion = _is_expansion(x.op)
    if expansion:
        narrow, weights = x.op.inputs
        product = _product(_flat(_recompute(narrow, grad)), flat_grad)
        grad_dot_x = tf.reduce_sum(_flat(weights) * product, axis=0)
    else:
        grad_dot_x = _sum(grad * x)
    gamma_grad = (grad_dot_x - beta_grad * mean) * inverse_deviation

    # ∂x is linear in ∂y and x, with one coefficient for each channel.
    pixels = tf.cast(tf.shape(flat_grad)[0], tf.float32)
    grad_scale = gamma * inverse_deviation
    x_scale = -grad_scale * inverse_deviation * gamma_grad / pixels
    offset = -grad_scale * beta_grad / pixels - x_scale * mean
    x_grad = tf.reshape(
        tf.nn.bias_add(grad_scale * flat_grad + x_scale * _flat(x), offset), _shape(x))
    if expansion:
        # The convolution's gradient takes the parts; the sum above is never run.
        _batch_norm_grads.setdefault(grad.graph, {})[x_grad.name] = BatchNormGrad(
            flat_grad, grad_scale, x_scale, offset, product)
    return [x_grad, gamma_grad, beta_grad, None, None]


def _recompute(tensor: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """Recomputes a large tensor once `after` is known, so that it need not be kept until then.

    Recomputation starts from the output of a convolution; other tensors are returned as they are.
    """
    known = _recomputed.setdefault(tensor.graph, {})
    if tensor.name not in known:
        known.update(zip((output.name for output in tensor.op.outputs),
                         _recompute_outputs(tensor, after)))
    return known[tensor.name]


def _recompute_outputs(tensor: tf.Tensor, after: tf.Tensor) -> Tuple[tf.Tensor, ...]:
    op = tensor.op
    if not tensor.shape.is_fully_defined() or \
            tensor.shape.num_elements() * tensor.dtype.size < LARGE:
        return tuple(op.outputs)
    with tf.control_dependencies([after]):
        if op.type == 'Relu6':
            return tf.nn.relu6(_recompute(op.inputs[0], after)),
        if op.type == 'Split':
            return tuple(tf.split(_recompute(op.inputs[1], after), len(op.outputs),
                                  axis=op.inputs[0]))
        if op.type == 'ConcatV2':
            return tf.concat([_recompute(part, after) for part in op.inputs[:-1]], op.inputs[-1]),
        if op.type == 'SpaceToBatchND':
            return tf.space_to_batch_nd(_recompute(op.inputs[0], after), *op.inputs[1:]),
        if op.type == 'FusedBatchNormV3' and op.get_attr('is_training'):
            x, gamma, beta = op.inputs[:3]
            mean, variance = op.outputs[3:5]
            scale = gamma * tf.rsqrt(variance + op.get_attr('epsilon'))
            if _is_expansion(x.op):
                narrow, weights = x.op.inputs
                scaled = tf.nn.conv2d(_recompute(narrow, after), weights * scale, 1, 'SAME')
            else:
                # Broadcasting over two dimensions is several times as fast as over four.
                scaled = tf.reshape(_flat(x) * scale, x.shape)
            return (tf.nn.bias_add(scaled, beta - mean * scale),) + tuple(op.outputs[1:])
    return tuple(op.outputs)


def _is_pointwise(op: tf.Operation) -> bool:
    return (op.inputs[1].shape[:2].as_list() == [1, 1] and
            op.get_attr('strides') == [1, 1, 1, 1] and op.get_attr('data_format') == b'NHWC')


def _is_expansion(op: tf.Operation) -> bool:
    """Returns whether an operation is a 1×1 convolution to more channels than it reads."""
    if op.type != 'Conv2D' or not _is_pointwise(op):
        return False
    inputs, outputs = op.inputs[1].shape.as_list()[2:]
    return outputs > inputs


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """Reshapes `[..., C]` to `[P, C]`."""
    return tf.reshape(tensor, [-1, tensor.shape[-1].value])


def _sum(tensor: tf.Tensor) -> tf.Tensor:
    """Sums over all pixels, from `[N, H, W, C]` to `[C]`.

    Products with ones, one image at a time, are three times as fast as `reduce_sum`.
    """
    images = tf.reshape(tensor, [tf.shape(tensor)[0], -1, tensor.shape[3].value])
    ones = tf.ones(tf.concat([tf.shape(images)[:1], [1], tf.shape(images)[1:2]], axis=0))
    return tf.reduce_sum(tf.matmul(ones, images), axis=[0, 1])


def _product(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Computes oneᵀ · other of two tall matrices; transposing the narrower is twice as fast."""
    if one.shape[1].value <= other.shape[1].value:
        return tf.matmul(one, other, transpose_a=True)
    return tf.transpose(tf.matmul(other, one, transpose_a=True))


def _shape(tensor: tf.Tensor):
    """Returns the shape, static where it is known, so that the tensor itself need not be kept."""
    return tensor.shape.as_list() if tensor.shape.is_fully_defined() else tf.shape(tensor)
