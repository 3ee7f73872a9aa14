"""Quantization-aware training: `tf.contrib.quantize`, and what it leaves out (Supplement A).

The graph computes with 32-bit floats that fake-quantization nodes round to the grid of an 8-bit
tensor. An export stores just these numbers, so every tensor that it will hold has a node, and
tensors that it will hold on one grid share their range.
"""

from typing import Callable, Dict, List, Set

import numpy as np
import tensorflow as tf
from tensorflow.contrib.quantize.python import common
from tensorflow.contrib.quantize.python.quantize import _InsertQuantOp

from mmnet.models.layers import NORMALIZED

FAKE_QUANT = 'FakeQuantWithMinMaxVars'
ACTIVATIONS = ('Relu', 'Relu6')
# Operations that move numbers about: in a file their results lie on the grid of what they read.
# With the number of the input that they move.
MOVES = {'ResizeBilinear': 0, 'Mean': 0, 'Tile': 0, 'Split': 1, 'Identity': 0, 'IdentityN': 0}
# Those whose results lie between what they read, and have to be rounded again. A mean could have a
# range of its own, but TensorFlow 1.15's runtime does not saturate numbers that leave it.
AVERAGES = ('ResizeBilinear', 'Mean')
# The logits are ±l for an alpha of σ(2l), which as a byte is 0 or 255 from here on. A range that
# reached further would leave fewer of its 256 numbers to the alphas in between.
LOGIT_LIMIT = np.log(2 * 255 - 1) / 2


def quantize(images: tf.Tensor, logits: tf.Tensor, settings: Dict[str, int], is_training: bool,
             quant_delay: int = 0) -> tf.Tensor:
    """Rewrites the graph from images to logits for quantization; call it before adding losses.

    Weights and activations are rounded to `settings`' bits and batch norms folded, by
    `tf.contrib.quantize`. Beyond that

    - weights have symmetric ranges, so that unsigned and signed files hold the same numbers;
    - the two logits are made opposite numbers, which no softmax notices, so that one alone tells
      the alpha; their range ends where the alpha does;
    - there is a node after each bilinear resize and each mean, after sums with an activation,
      after normalized images, and around transposed convolutions;
    - what is concatenated or moved about shares one range, so that nothing is requantized.

    Args:
        images: what the network in the default graph takes, `[N, H, W, 3]`.
        logits: what it makes of them, `[N, H, W, 2]`.
        settings: `weight_bits` and `activation_bits`, 4 to 8.
        is_training: whether ranges are learned; in evaluation they are variables that are restored.
        quant_delay: steps before rounding begins, while ranges are learned already.

    Returns:
        the quantized logits.
    """
    logits = centre_logits(logits)
    _end_linear_layers(_ancestors(logits.op, images.op))
    # Something that reads the logits, as a rewriting redirects what reads a tensor.
    output = tf.identity_n([logits], name='quantized_logits')[0]
    bits = settings['activation_bits']
    flags = {'weight_bits': settings['weight_bits'], 'activation_bits': bits}
    if is_training:
        tf.contrib.quantize.experimental_create_training_graph(
            logits.graph, quant_delay=quant_delay, **flags)
    else:
        tf.contrib.quantize.experimental_create_eval_graph(logits.graph, **flags)

    for op in _ancestors(output.op, images.op):
        _quantize_leftover(op, flags, is_training, quant_delay)
    operations = _ancestors(output.op, images.op)
    for op in operations:
        if op.type == FAKE_QUANT and op.get_attr('narrow_range'):
            make_symmetric(op)
    for node in _sources(output.op.inputs[0]):
        make_symmetric(node, LOGIT_LIMIT)
    for group in _concatenated(operations):
        share_range(group)
    for op in operations:
        if op.type in AVERAGES:
            average, (source,) = op.outputs[0], _sources(op.inputs[0])
            _insert(average, lambda: tf.fake_quant_with_min_max_vars(
                average, source.inputs[1], source.inputs[2], bits), quant_delay)
    return output


def range_variables() -> List[tf.Variable]:
    """The learned ranges of the default graph: what a checkpoint of a quantized network adds."""
    return [variable for variable in tf.global_variables()
            if variable.op.name.endswith(('_quant/min', '_quant/max'))]


def centre_logits(logits: tf.Tensor) -> tf.Tensor:
    """Makes the two logits opposite numbers, by taking their mean off weights and biases.

    α is the sigmoid of their difference, which stays as it is. `[N, H, W, 2]` logits end in a
    convolution, maybe with bias, and maybe bilinear resizing.

    Returns:
        the logits; another tensor where they had no bias.
    """
    op = logits.op
    while op.type in MOVES:
        op = op.inputs[MOVES[op.type]].op
    if op.type == 'Conv2D':
        # contrib.quantize takes a convolution for a layer only if it has a bias.
        readers = op.outputs[0].consumers()
        biased = tf.nn.bias_add(op.outputs[0], tf.zeros(op.outputs[0].shape[-1:]))
        common.RerouteTensor(biased, op.outputs[0], can_modify=readers)
        logits = biased if op is logits.op else logits
        op = biased.op
    if op.type != 'BiasAdd' or op.inputs[0].op.type != 'Conv2D':
        raise ValueError(f'{op.name} is no convolution; its logits cannot be quantized')
    for consumer in (op.inputs[0].op, op):
        weights = consumer.inputs[1]
        opposite = weights - tf.reverse(weights, [weights.shape.ndims - 1])
        # contrib.quantize recognizes weights by the multiplication that folds batch norm.
        consumer._update_input(1, tf.multiply(opposite, 0.5))
    return logits


def _quantize_leftover(op: tf.Operation, flags: Dict[str, int], is_training: bool,
                       quant_delay: int) -> None:
    """Puts nodes where contrib.quantize sees no layer; it has a look itself whether one is there.

    That is transposed convolutions, activations of sums, and images that a network normalizes.
    """
    def insert(name: str, producer: tf.Operation, consumers: List[tf.Operation],
               **settings) -> None:
        scope = op.name.rpartition('/')[0]
        _InsertQuantOp(scope, name, producer, consumers, is_training,
                       quant_delay=quant_delay or None, **settings)

    if op.type == 'Conv2DBackpropInput':
        insert('deconv/weights_quant', op.inputs[1].op, [op], moving_avg=False, narrow_range=True,
               bits=flags['weight_bits'])
        insert('deconv/act_quant', op, op.outputs[0].consumers(), bits=flags['activation_bits'])
    elif op.type in ACTIVATIONS and op.inputs[0].op.type == 'AddN':
        insert('act_quant', op, op.outputs[0].consumers(), init_min=0.0,
               bits=flags['activation_bits'])
    elif op.name.rpartition('/')[2] == NORMALIZED:
        insert('images/act_quant', op, op.outputs[0].consumers(), bits=flags['activation_bits'])


def _end_linear_layers(operations: List[tf.Operation]) -> None:
    """Puts an identity where batch norm has no activation behind it, as in a linear bottleneck.

    contrib.quantize looks for the end of a layer there; without it, it folds batch norm only half.
    """
    for op in operations:
        readers = op.outputs[0].consumers() if op.type == 'FusedBatchNormV3' else []
        if any(reader.type not in ACTIVATIONS for reader in readers):
            common.RerouteTensor(tf.identity(op.outputs[0], name=op.name + '/linear'),
                                 op.outputs[0], can_modify=readers)


def make_symmetric(node: tf.Operation, limit: float = np.inf) -> None:
    """Gives a node a range whose zero lies in the middle of its grid, and that ends at a limit.

    Of 256 numbers that is the 129th, so that the range reaches one step further below zero; of the
    255 of a narrow range, which weights have, it is the 128th.
    """
    positive_steps = 2 ** (node.get_attr('num_bits') - 1) - 1
    negative_steps = positive_steps + (not node.get_attr('narrow_range'))
    with tf.name_scope(node.name + '_symmetric'):
        high = tf.minimum(tf.maximum(-node.inputs[1], node.inputs[2]), limit)
        _set_range(node, -high * (negative_steps / positive_steps), high)


def share_range(nodes: List[tf.Operation]) -> None:
    """Gives nodes one range, which holds the ranges that all of them have learned."""
    ends = [(node.inputs[1], node.inputs[2]) for node in nodes]
    for node, (low, high) in zip(nodes, ends):
        # A node waits for its own range to be updated; of the others it takes what is known, as
        # their input may depend on its output.
        others = [(_known(other_low), _known(other_high)) for other, (other_low, other_high)
                  in zip(nodes, ends) if other is not node]
        with tf.name_scope(node.name + '_shared'):
            lows, highs = zip(*([(low, high)] + others))
            _set_range(node, tf.reduce_min(tf.stack(lows)), tf.reduce_max(tf.stack(highs)))


def _known(end: tf.Tensor) -> tf.Tensor:
    """The variable behind an end of a range, whether it is updated or just read."""
    return tf.identity(end.op.inputs[0])


def _set_range(node: tf.Operation, low: tf.Tensor, high: tf.Tensor) -> None:
    node._update_input(1, low)
    node._update_input(2, high)


def _insert(tensor: tf.Tensor, make_node: Callable[[], tf.Tensor], quant_delay: int) -> None:
    """Puts a fake-quantization node between a tensor and all that reads it."""
    readers = tensor.consumers()
    quantized = make_node()
    if quant_delay:
        quantized = tf.cond(common.CreateOrGetQuantizationStep() >= quant_delay,
                            lambda: quantized, lambda: tensor)
    common.RerouteTensor(quantized, tensor, can_modify=readers)


def _sources(tensor: tf.Tensor) -> List[tf.Operation]:
    """The fake-quantization nodes whose grids a tensor's numbers lie on."""
    op = tensor.op
    while op.type != FAKE_QUANT:
        if op.type == 'ConcatV2':
            return [node for part in op.inputs[:-1] for node in _sources(part)]
        if op.type == 'Merge':      # of a quantization delay: quantized or not
            op = op.inputs[1].op.inputs[0].op
        elif op.type in MOVES:
            op = op.inputs[MOVES[op.type]].op
        else:
            raise ValueError(f'{op.name} ({op.type}) has no quantization range')
    return [op]


def _concatenated(operations: List[tf.Operation]) -> List[List[tf.Operation]]:
    """The nodes whose tensors meet in concatenations, in groups that have none in common."""
    groups: List[Set[tf.Operation]] = []
    for op in operations:
        if op.type == 'ConcatV2':
            group = set(_sources(op.outputs[0]))
            for other in [other for other in groups if other & group]:
                groups.remove(other)
                group |= other
            groups.append(group)
    return [sorted(group, key=lambda node: node.name) for group in groups]


def _ancestors(op: tf.Operation, images: tf.Operation) -> List[tf.Operation]:
    """An operation and all that it depends on, as far as the network's images."""
    found, queue = {op, images}, [op]
    while queue:
        fresh = {tensor.op for tensor in queue.pop().inputs} - found
        found |= fresh
        queue.extend(fresh)
    return sorted(found - {images}, key=lambda each: each.name)
