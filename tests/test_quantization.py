"""Quantization-aware training: where rounding happens, and to which grids."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import models, quantization
from mmnet.models import layers
from mmnet.models.mmnet import decoder_block, encoder_block
from mmnet.tflite import trace
from mmnet.tflite.encode import grid
from mmnet.tflite.layers import Range

NETWORKS = [('mmnet', {'width_multiplier': 0.5}),
            pytest.param('mmnet', {'width_multiplier': 0.5, 'refinement': False,
                                   'enhancement': False}, marks=pytest.mark.slow),
            ('deeplab', {'width_multiplier': 0.35}),
            ('portraitnet', {}),
            pytest.param('portraitnet', {'boundary_head': False}, marks=pytest.mark.slow)]


def few_blocks(images, is_training):
    """A network of MMNet's blocks, one of each kind: its graph is rewritten in a tenth of the time.
    """
    with slim.arg_scope(layers.batch_norm_scope(is_training, 0.9, 1e-3, tf.nn.relu6,
                                                slim.xavier_initializer())):
        skip = slim.conv2d(images, 8, 3, scope='initial')
        net = encoder_block(skip, [1, 2], 2, 8, 16, None, 'encoder')
        net = decoder_block(net, skip, 8, True, 'decoder')
        return layers.logits_conv(net, 'final')


def randomize(session, seed=0):
    """Sets all variables to something that a training might have left."""
    rng = np.random.RandomState(seed)
    values = {}
    for variable in tf.global_variables():
        name, shape = variable.op.name, variable.shape.as_list()
        if name.endswith(('gamma', 'moving_variance')):
            value = rng.uniform(0.6, 1.4, shape)
        elif name.endswith(('beta', 'biases', 'moving_mean')):
            value = rng.normal(0, 0.3, shape)
        elif name.endswith('weights'):
            value = rng.normal(0, 0.2, shape)
        elif name.endswith('_quant/min'):
            value = rng.uniform(-4, -2)
        elif name.endswith('_quant/max'):
            value = rng.uniform(2, 4)
        else:
            continue
        values[variable.initial_value] = value
    session.run(tf.global_variables_initializer(), values)


@pytest.mark.parametrize('name, hparams', NETWORKS)
def test_every_tensor_of_the_inference_graph_has_a_range(name, hparams):
    images = tf.placeholder(tf.float32, [1, 32, 32, 3])
    logits, _ = models.build(name, images, False, **hparams)
    logits = quantization.quantize(images, logits, 8, 8, is_training=False)
    with tf.Session() as session:
        randomize(session)
        network = trace.trace(session, images, logits)
    for layer in network.layers:
        assert all(value.range.bits == 8 for value in layer.outputs), layer.output.name
        if layer.weights is not None:
            found, = layer.weight_ranges
            assert found.narrow and grid(found)[1] == 128
        if layer.kind in ('RESIZE_BILINEAR', 'MEAN', 'CONCATENATION', 'SPLIT'):
            # Nothing is requantized where numbers are only moved.
            ranges = {value.range for value in layer.inputs + layer.outputs}
            assert len(ranges) == 1, layer.output.name
    scale, zero_point = grid(network.output.range)
    assert zero_point == 128
    # σ(2l) at the end of the range is a byte of 0 or 255, but not long before it.
    alpha = 1 / (1 + np.exp(-2 * 127 * scale))
    assert 254 < 255 * alpha <= 254.5 + 1e-3


def test_the_two_logits_are_opposite_and_their_alpha_is_unchanged():
    rng = np.random.RandomState(0)
    pixels, weights = rng.rand(1, 8, 8, 4), rng.normal(size=[1, 1, 4, 2])
    logits = tf.nn.bias_add(tf.nn.conv2d(tf.constant(pixels), tf.constant(weights), 1, 'SAME'),
                            tf.constant([0.3, -0.8], tf.float64))
    quantization.centre_logits(logits)
    with tf.Session() as session:
        centred = session.run(logits)
    plain = pixels.dot(weights[0, 0]) + [0.3, -0.8]
    np.testing.assert_allclose(centred[..., 1] - centred[..., 0], plain[..., 1] - plain[..., 0])
    np.testing.assert_allclose(centred.sum(axis=-1), 0, atol=1e-12)


def test_logits_without_a_convolution_are_refused():
    with pytest.raises(ValueError, match='not a convolution'):
        quantization.centre_logits(tf.nn.relu(tf.ones([1, 4, 4, 2])))


@pytest.mark.parametrize('bits', [4, 6, 8])
def test_activations_have_as_many_values_as_bits_allow(bits):
    images = tf.constant(np.random.RandomState(0).rand(4, 32, 32, 3).astype(np.float32))
    logits = quantization.quantize(images, few_blocks(images, True), bits, bits, True)
    nodes = [op for op in tf.get_default_graph().get_operations()
             if op.type == quantization.FAKE_QUANT and 'encoder' in op.name]
    assert len(nodes) >= 10
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(logits)
        values = session.run([node.outputs[0] for node in nodes])
        for node, value in zip(nodes, values):
            distinct = len(np.unique(value))
            assert 2 < distinct <= 2 ** bits - node.get_attr('narrow_range'), node.name


def test_a_delayed_quantization_starts_as_the_float_network():
    pixels = np.random.RandomState(0).rand(4, 32, 32, 3).astype(np.float32)

    def centred_logits(quantize):
        with tf.Graph().as_default(), tf.Session() as session:
            images = tf.constant(pixels)
            logits = few_blocks(images, True)
            if quantize:
                logits = quantization.quantize(images, logits, 8, 8, True, quant_delay=2)
            randomize(session)
            runs = [session.run(logits) for _ in range(3)]
            return [run - run.mean(axis=-1, keepdims=True) for run in runs]

    plain, delayed = centred_logits(False)[0], centred_logits(True)
    spread = plain.std()
    assert np.abs(delayed[0] - plain).max() < 1e-3 * spread
    assert np.abs(delayed[2] - plain).max() > 0.05 * spread, 'rounding has begun'


def portraitnet(images, is_training):
    return models.build('portraitnet', images, is_training)[0]


@pytest.mark.parametrize('build', [few_blocks, pytest.param(portraitnet, marks=pytest.mark.slow)])
def test_a_delay_leaves_nothing_in_the_graph_of_evaluation(build):
    def variables(is_training, delay):
        with tf.Graph().as_default():
            images = tf.zeros([1, 32, 32, 3])
            quantization.quantize(images, build(images, is_training), 8, 8, is_training, delay)
            return {each.op.name for each in
                    tf.model_variables() + quantization.range_variables()}, {
                        each.op.name for each in tf.global_variables()}
    trained, _ = variables(True, 5)
    evaluated, everything = variables(False, 5)
    assert evaluated == trained == everything


@pytest.mark.parametrize('low, high', [(-1.0, 3.0), (0.0, 5.3), (-2.7, 0.4)])
def test_grids_are_those_of_fake_quantization(low, high):
    numbers = np.random.RandomState(0).uniform(low - 1, high + 1, 1000).astype(np.float32)
    for narrow in (False, True):
        scale, zero_point = grid(Range(low, high, 8, narrow))
        stored = np.clip(np.floor(numbers / scale + 0.5) + zero_point, int(narrow), 255)
        rounded = tf.fake_quant_with_min_max_args(numbers, low, high, 8, narrow)
        with tf.Session() as session:
            np.testing.assert_allclose(session.run(rounded), scale * (stored - zero_point),
                                       atol=1e-6)


@pytest.mark.slow
def test_train_and_eval_graphs_compute_the_same():
    """With batch norm's moving statistics those of the batch, what is trained is what is run."""
    pixels = np.random.RandomState(0).rand(4, 64, 64, 3).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        images = tf.constant(pixels)
        logits, _ = models.build('mmnet', images, True, width_multiplier=0.5,
                                 batch_norm_decay=0.01)
        logits = quantization.quantize(images, logits, 8, 8, True)
        session.run(tf.global_variables_initializer())
        for _ in range(4):
            trained = session.run([logits] + tf.get_collection(tf.GraphKeys.UPDATE_OPS))[0]
        values = session.run({variable.op.name: variable for variable in
                              tf.model_variables() + quantization.range_variables()})
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(pixels)
        logits, _ = models.build('mmnet', images, False, width_multiplier=0.5)
        logits = quantization.quantize(images, logits, 8, 8, False)
        session.run(tf.global_variables_initializer(), {
            variable.initial_value: values[variable.op.name]
            for variable in tf.model_variables() + quantization.range_variables()})
        restored = session.run(logits)
    # Not to the last digit: moving variances are unbiased estimates, those of a batch are not.
    assert np.corrcoef(trained.ravel(), restored.ravel())[0, 1] > 0.8


def test_averages_and_channels_keep_to_their_bits():
    bits = 4
    images = tf.constant(np.random.RandomState(0).rand(4, 32, 32, 3).astype(np.float32))
    quantization.quantize(images, few_blocks(images, True), bits, bits, True, per_channel=True)
    nodes = tf.get_default_graph().get_operations()
    average, = [op for op in nodes if op.type == quantization.FAKE_QUANT and
                op.inputs[0].op.type == 'ResizeBilinear']
    weights = [op for op in nodes if op.type == quantization.FAKE_QUANT_PER_CHANNEL and
               len(op.outputs[0].shape) == 4]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        averages, *found = session.run([op.outputs[0] for op in [average] + weights])
    assert 2 < len(np.unique(averages)) <= 2 ** bits
    assert len(found) > 3
    for each in found:
        for channel in np.rollaxis(each, -1):
            assert len(np.unique(channel)) <= 2 ** bits - 1
