"""Quantization-aware training: `tf.contrib.quantize`, and what it leaves out (Supplement A).

The graph computes with 32-bit floats, and fake-quantization nodes round them to the grid of an
8-bit tensor. An export stores exactly these numbers. So every tensor of the file has a node, and
tensors that share a grid in the file share their range here.
"""

from typing import Dict, List, Set

import numpy as np
import tensorflow as tf
from tensorflow.contrib.quantize.python import common
from tensorflow.contrib.quantize.python.quantize import _InsertQuantOp

from mmnet.models.layers import NORMALIZED

FAKE_QUANT = 'FakeQuantWithMinMaxVars'
FAKE_QUANT_PER_CHANNEL = 'FakeQuantWithMinMaxVarsPerChannel'
# Smallest range of a channel, as a share of its layer's. The 32-bit bias is a multiple of the
# channel's step, and would overflow if the step were tiny.
SMALLEST_RANGE = 1e-3
ACTIVATIONS = ('Relu', 'Relu6')
# Operations that keep their input's grid, and the index of that input.
VALUE_INPUT = {'ResizeBilinear': 0, 'Mean': 0, 'Tile': 0, 'Split': 1, 'Identity': 0, 'IdentityN': 0}
# The results of these lie between grid points and are rounded again. A mean could have a range
# of its own, but TensorFlow 1.15's runtime does not saturate values that leave it.
AVERAGES = ('ResizeBilinear', 'Mean')
# The logits are −l and l, and the alpha is σ(2l). At this |l|, its byte is 0 or 255. A wider range
# would leave fewer of the 256 steps to the alphas in between.
LOGIT_LIMIT = np.log(2 * 255 - 1) / 2


def quantize(images: tf.Tensor, logits: tf.Tensor, weight_bits: int, activation_bits: int,
             is_training: bool, quant_delay: int = 0, per_channel: bool = False) -> tf.Tensor:
    """Rewrites the graph from images to logits for quantization; call it before adding losses.

    `tf.contrib.quantize` rounds weights and activations and folds batch norms. Beyond that:

    - Weights have symmetric ranges, so unsigned and signed files hold the same values.
    - The logits become negatives of each other, so one is enough. The softmax does not change.
      Their range ends where the alpha saturates.
    - A node follows each bilinear resize, mean, activated sum and normalized image. Nodes surround
      each transposed convolution.
    - Tensors that are concatenated or moved share one range, so nothing is requantized.

    Args:
        images: input of the network in the default graph, `[N, H, W, 3]`.
        logits: its output, `[N, H, W, 2]`.
        weight_bits, activation_bits: 4 to 8.
        is_training: whether ranges are learned; in evaluation they are restored variables.
        quant_delay: steps before rounding begins; ranges are learned from the start.
        per_channel: whether each output channel of a convolution's weights has its own range.

    Returns:
        the quantized logits.

    Raises:
        ValueError: for logits that no convolution makes, and for an operation without a range.
    """
    if not is_training:
        # No checkpoint holds the step that a delay counts; evaluation needs the ranges only.
        quant_delay = 0
    logits = centre_logits(logits)
    _end_linear_layers(_ancestors(logits.op, images.op))
    # An identity that keeps the logits reachable after the graph is rewritten.
    output = tf.identity_n([logits], name='quantized_logits')[0]
    bits = {'weight_bits': weight_bits, 'activation_bits': activation_bits}
    if is_training:
        tf.contrib.quantize.experimental_create_training_graph(
            logits.graph, quant_delay=quant_delay, **bits)
    else:
        tf.contrib.quantize.experimental_create_eval_graph(logits.graph, **bits)

    for op in _ancestors(output.op, images.op):
        _quantize_leftover(op, bits, is_training, quant_delay)
    operations = _ancestors(output.op, images.op)
    for op in operations:
        if op.type == FAKE_QUANT and op.get_attr('narrow_range'):
            if not (per_channel and round_per_channel(op)):
                make_symmetric(op)
    for node in _sources(output.op.inputs[0]):
        make_symmetric(node, LOGIT_LIMIT)
    for group in _concatenated(operations):
        share_range(group)
    for op in operations:
        if op.type in AVERAGES:
            _round_average(op, activation_bits, quant_delay)
    return output


def range_variables() -> List[tf.Variable]:
    """Lists the learned ranges of the default graph, which a quantized checkpoint holds, too."""
    return [variable for variable in tf.global_variables()
            if variable.op.name.endswith(('_quant/min', '_quant/max'))]


def centre_logits(logits: tf.Tensor) -> tf.Tensor:
    """Makes the two logits negatives of each other: takes their mean off weights and biases.

    α is the sigmoid of their difference, which stays the same. The logits `[N, H, W, 2]` must come
    from a convolution, with or without bias, and may be resized bilinearly after it.

    Returns:
        the logits; a new tensor if the convolution had no bias.

    Raises:
        ValueError: if the logits do not come from a convolution.
    """
    op = last_layer(logits)
    if op.type == 'Conv2D':
        # contrib.quantize takes a convolution for a layer only if it has a bias.
        readers = op.outputs[0].consumers()
        biased = tf.nn.bias_add(op.outputs[0], tf.zeros(op.outputs[0].shape[-1:]))
        common.RerouteTensor(biased, op.outputs[0], can_modify=readers)
        logits = biased if op is logits.op else logits
        op = biased.op
    if op.type != 'BiasAdd' or op.inputs[0].op.type != 'Conv2D':
        raise ValueError(f'{op.name} is not a convolution; its logits cannot be quantized')
    for consumer in (op.inputs[0].op, op):
        weights = consumer.inputs[1]
        difference = weights - tf.reverse(weights, [weights.shape.ndims - 1])
        # contrib.quantize recognizes weights by the multiplication that folds batch norm.
        consumer._update_input(1, tf.multiply(difference, 0.5))
    return logits


def last_layer(logits: tf.Tensor) -> tf.Operation:
    """Finds the operation that computes logits, mostly a `BiasAdd`, before they are resized."""
    op = logits.op
    while op.type in VALUE_INPUT:
        op = op.inputs[VALUE_INPUT[op.type]].op
    return op


def _quantize_leftover(op: tf.Operation, bits: Dict[str, int], is_training: bool,
                       quant_delay: int) -> None:
    """Adds nodes where contrib.quantize sees no layer.

    These are transposed convolutions, activations of sums, and normalized images. contrib.quantize
    itself checks that no node is there yet.
    """
    def insert(name: str, producer: tf.Operation, consumers: List[tf.Operation], **options) -> None:
        scope = op.name.rpartition('/')[0]
        _InsertQuantOp(scope, name, producer, consumers, is_training,
                       quant_delay=quant_delay or None, **options)

    activation_bits = bits['activation_bits']
    if op.type == 'Conv2DBackpropInput':
        insert('deconv/weights_quant', op.inputs[1].op, [op], moving_avg=False, narrow_range=True,
               bits=bits['weight_bits'])
        insert('deconv/act_quant', op, op.outputs[0].consumers(), bits=activation_bits)
    elif op.type in ACTIVATIONS and op.inputs[0].op.type == 'AddN':
        insert('act_quant', op, op.outputs[0].consumers(), init_min=0.0, bits=activation_bits)
    elif op.name.rpartition('/')[2] == NORMALIZED:
        insert('images/act_quant', op, op.outputs[0].consumers(), bits=activation_bits)


def _end_linear_layers(operations: List[tf.Operation]) -> None:
    """Adds an identity after batch norm without an activation, as in a linear bottleneck.

    contrib.quantize looks for the end of a layer there. Without it, it folds batch norm only half.
    """
    for op in operations:
        readers = op.outputs[0].consumers() if op.type == 'FusedBatchNormV3' else []
        if any(reader.type not in ACTIVATIONS for reader in readers):
            common.RerouteTensor(tf.identity(op.outputs[0], name=op.name + '/linear'),
                                 op.outputs[0], can_modify=readers)


def make_symmetric(node: tf.Operation, limit: float = np.inf) -> None:
    """Gives a node a range that has its zero in the middle of the grid and ends at `limit`.

    A full range has 128 steps below zero and 127 above, 256 values in all. A narrow range, which
    weights have, has 127 on each side.
    """
    positive_steps = 2 ** (node.get_attr('num_bits') - 1) - 1
    negative_steps = positive_steps + (not node.get_attr('narrow_range'))
    with tf.name_scope(node.name + '_symmetric'):
        high = tf.minimum(tf.maximum(-node.inputs[1], node.inputs[2]), limit)
        _set_range(node, -high * (negative_steps / positive_steps), high)


def round_per_channel(node: tf.Operation) -> bool:
    """Replaces the node on a convolution's weights by one that rounds each output channel alone.

    Its ranges are computed from the weights, so they are not variables.

    Returns:
        whether the weights belong to a plain or depthwise convolution; others are left alone.
    """
    kind = _reader_of_weights(node)
    if kind not in ('Conv2D', 'DepthwiseConv2dNative'):
        return False
    weights, readers = node.inputs[0], node.outputs[0].consumers()
    # The weights of a depthwise convolution are [h, w, channels, 1].
    shape = weights.shape.as_list()
    flat = weights if kind == 'Conv2D' else tf.reshape(weights, shape[:3])
    sizes = tf.abs(tf.stop_gradient(flat))
    limits = tf.reduce_max(sizes, axis=list(range(flat.shape.ndims - 1)))
    limits = tf.maximum(limits, SMALLEST_RANGE * tf.reduce_max(limits))
    rounded = tf.fake_quant_with_min_max_vars_per_channel(
        flat, -limits, limits, node.get_attr('num_bits'), narrow_range=True,
        name=node.name + '_per_channel')
    common.RerouteTensor(tf.reshape(rounded, shape), node.outputs[0], can_modify=readers)
    return True


def _reader_of_weights(node: tf.Operation) -> str:
    """Returns the kind of layer that a node's weights belong to, with or without a delay."""
    reader = node.outputs[0].consumers()[0]
    while reader.type in ('Switch', 'Merge', 'Identity'):
        reader = reader.outputs[-1 if reader.type == 'Switch' else 0].consumers()[0]
    return reader.type


def share_range(nodes: List[tf.Operation]) -> None:
    """Gives nodes one range that covers the ranges all of them have learned."""
    ends = [(node.inputs[1], node.inputs[2]) for node in nodes]
    for node, (low, high) in zip(nodes, ends):
        # A node waits for its own range to be updated. It takes the others' ranges as they stand,
        # because their inputs may depend on its output.
        others = [(_stored(other_low), _stored(other_high)) for other, (other_low, other_high)
                  in zip(nodes, ends) if other is not node]
        with tf.name_scope(node.name + '_shared'):
            lows, highs = zip(*[(low, high), *others])
            _set_range(node, tf.reduce_min(tf.stack(lows)), tf.reduce_max(tf.stack(highs)))


def _stored(end: tf.Tensor) -> tf.Tensor:
    """Reads the variable behind an end of a range, without waiting for its update."""
    return tf.identity(end.op.inputs[0])


def _set_range(node: tf.Operation, low: tf.Tensor, high: tf.Tensor) -> None:
    node._update_input(1, low)
    node._update_input(2, high)


def _round_average(op: tf.Operation, bits: int, quant_delay: int) -> None:
    """Rounds what an averaging operation returns to the grid of its input."""
    average, (source,) = op.outputs[0], _sources(op.inputs[0])
    readers = average.consumers()
    rounded = tf.fake_quant_with_min_max_vars(average, source.inputs[1], source.inputs[2], bits)
    if quant_delay:
        rounded = tf.cond(common.CreateOrGetQuantizationStep() >= quant_delay,
                          lambda: rounded, lambda: average)
    common.RerouteTensor(rounded, average, can_modify=readers)


def _sources(tensor: tf.Tensor) -> List[tf.Operation]:
    """Finds the fake-quantization nodes whose grids a tensor's values lie on."""
    op = tensor.op
    while op.type != FAKE_QUANT:
        if op.type == 'ConcatV2':
            return [node for part in op.inputs[:-1] for node in _sources(part)]
        if op.type == 'Merge':      # a quantization delay: quantized or not
            op = op.inputs[1].op.inputs[0].op
        elif op.type in VALUE_INPUT:
            op = op.inputs[VALUE_INPUT[op.type]].op
        else:
            raise ValueError(f'{op.name} ({op.type}) has no quantization range')
    return [op]


def _concatenated(operations: List[tf.Operation]) -> List[List[tf.Operation]]:
    """Groups the nodes whose tensors meet in concatenations; the groups are disjoint."""
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
    """Lists an operation and all that it depends on, back to the network's images."""
    found, queue = {op, images}, [op]
    while queue:
        fresh = {tensor.op for tensor in queue.pop().inputs} - found
        found |= fresh
        queue.extend(fresh)
    return sorted(found - {images}, key=lambda each: each.name)
