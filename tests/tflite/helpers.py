"""Layers for the tests of files."""

import os

import numpy as np
import tensorflow as tf

from mmnet import checkpoints, flags, graph
from mmnet.tflite import softmax, trace
from mmnet.tflite.layers import Layer, LayerGraph, Range, Value

SCALE = 3.1 / 127
LOGITS = Range(-SCALE * 128, SCALE * 127, 8)


def traced(logits, images, session):
    """The layers of a network with random batch norm."""
    rng = np.random.RandomState(0)
    session.run(tf.global_variables_initializer(), {
        variable.initial_value: rng.uniform(0.7, 1.3, variable.shape.as_list())
        for variable in tf.global_variables()
        if variable.op.name.endswith(('gamma', 'beta', 'moving_mean', 'moving_variance'))})
    return trace.trace(session, images, logits)


def head_only(head):
    """A network that is given logits."""
    if head == 'logistic':
        logit = Value('logit', [1, 16, 16, 1], LOGITS._replace(low=2 * LOGITS.low,
                                                               high=2 * LOGITS.high))
        alpha = Value('alpha', [1, 16, 16, 1], softmax.PROBABILITIES)
        return LayerGraph(logit, alpha, [Layer('LOGISTIC', [logit], [alpha])])
    logits = Value('logits', [1, 256, 256, 2], LOGITS)
    return softmax.SOFTMAXES[head](LayerGraph(logits, logits, []))


def quantized_layer(kind, channels=3):
    source = Value('source', [1, 8, 8, channels], Range(0.0, 6.0, 8))
    target = Value('target', [1, 8, 8, 4 if kind == 'CONV_2D' else channels], Range(-4.0, 5.0, 8))
    rng = np.random.RandomState(0)
    shape = [3, 3, channels, 4] if kind == 'CONV_2D' else [3, 3, channels, 1]
    weights = rng.uniform(-1, 1, shape)
    layer = Layer(kind, [source], [target], weights, [Range(-1.0, 1.0, 8, True)], dilation=2)
    layer.bias = rng.uniform(-1, 1, target.shape[3])
    return layer


def run_of(*args):
    """The hyperparameters of a small MMNet, or of the `--model` in the flags."""
    small = [] if '--model' in args else ['--width_multiplier', '0.5']
    return flags.to_hparams(flags.train_parser().parse_args(
        ['--dataset_path', 'data', '--train_dir', 'run', '--image_size', '32', *small, *args]))


def lively_weights():
    """Initial values by tensor that carry a photo's differences through sixty layers.

    Xavier's do not: their network answers 0.5 to every photo.
    """
    rng, values = np.random.RandomState(0), {}
    for variable in tf.model_variables():
        name, shape = variable.op.name, variable.shape.as_list()
        if name.endswith('weights'):
            inputs = np.prod(shape[:2 if name.endswith('depthwise_weights') else 3])
            values[variable.initial_value] = rng.normal(0, np.sqrt(2 / inputs), shape)
        elif name.endswith('biases'):
            values[variable.initial_value] = rng.normal(0, 1, shape)
    return values


def checkpoint_of(run, directory):
    """A checkpoint of random weights."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        graph.build_network(tf.placeholder(tf.float32, [1, 32, 32, 3]), run, is_training=False)
        # Ranges that were never learned would cut lively activations off.
        session.run(tf.global_variables_initializer(),
                    {} if run.quantization else lively_weights())
        return checkpoints.saver(averaged=False).save(
            session, os.path.join(str(directory), 'model.ckpt'), 0, write_meta_graph=False)
