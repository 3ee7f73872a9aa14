"""Faster gradients for TensorFlow 1.15's CPU kernels; the forward graph is left as it is.

The stock gradients of a 1×1 convolution go through im2col, and that of fused batch norm makes many
slow passes over its input. Both are the same numbers computed with matrix products. Because only
gradients are replaced, networks read as before and quantization finds the layers it looks for.
"""

from typing import ContextManager, List, Optional

import tensorflow as tf
from tensorflow.python.ops import nn_grad


def cpu_gradients(graph: tf.Graph) -> ContextManager:
    """Operations made in this context get the gradients below.

    A GPU has fast kernels of its own for both: use this where none is visible.
    """
    return graph.gradient_override_map({'Conv2D': 'PointwiseConv2D',
                                        'FusedBatchNormV3': 'MatmulBatchNorm'})


@tf.RegisterGradient('PointwiseConv2D')
def _conv2d_gradient(op: tf.Operation, grad: tf.Tensor) -> List[Optional[tf.Tensor]]:
    """Two matrix products for a 1×1 convolution; TensorFlow's gradient for any other."""
    images, weights = op.inputs
    pointwise = (weights.shape[:2].as_list() == [1, 1] and op.get_attr('strides') == [1, 1, 1, 1]
                 and op.get_attr('data_format') == b'NHWC')
    if not pointwise:
        return nn_grad._Conv2DGrad(op, grad)
    inputs, outputs = weights.shape.as_list()[2:]
    flat_grad = tf.reshape(grad, [-1, outputs])
    images_grad = tf.matmul(flat_grad, tf.reshape(weights, [inputs, outputs]), transpose_b=True)
    weights_grad = tf.matmul(tf.reshape(images, [-1, inputs]), flat_grad, transpose_a=True)
    return [tf.reshape(images_grad, tf.shape(images)), tf.reshape(weights_grad, weights.shape)]


@tf.RegisterGradient('MatmulBatchNorm')
def _batch_norm_gradient(op: tf.Operation, grad: tf.Tensor, *others) -> List[Optional[tf.Tensor]]:
    """Batch norm's gradient with its sums over pixels taken as matrix products with ones.

    With x̂ = (x − μ)/σ, Σ over the P pixels of the batch:
    ∂γ = Σ ∂y x̂,  ∂β = Σ ∂y,  ∂x = γ/σ (∂y − ∂β/P − x̂ ∂γ/P).
    """
    if not op.get_attr('is_training'):
        return nn_grad._FusedBatchNormV3Grad(op, grad, *others)
    images, gamma = op.inputs[:2]
    mean, variance = op.outputs[3:5]
    flat_images = tf.reshape(images, [-1, images.shape[3].value])
    flat_grad = tf.reshape(grad, [-1, images.shape[3].value])
    pixels = tf.shape(flat_images)[:1]
    ones = tf.ones(tf.stack([1, pixels[0]]))
    inverse_deviation = tf.rsqrt(variance + op.get_attr('epsilon'))
    beta_grad = tf.squeeze(tf.matmul(ones, flat_grad), axis=0)
    product = tf.squeeze(tf.matmul(ones, flat_grad * flat_images), axis=0)
    gamma_grad = (product - beta_grad * mean) * inverse_deviation

    # ∂x is linear in ∂y and x, with one coefficient a channel.
    pixels = tf.cast(pixels, tf.float32)
    grad_scale = gamma * inverse_deviation
    image_scale = -grad_scale * inverse_deviation * gamma_grad / pixels
    offset = -grad_scale * beta_grad / pixels - image_scale * mean
    images_grad = tf.nn.bias_add(grad_scale * flat_grad + image_scale * flat_images, offset)
    return [tf.reshape(images_grad, tf.shape(images)), gamma_grad, beta_grad, None, None]
