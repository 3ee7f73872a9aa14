"""Float files against the graph, and what cannot be exported."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import losses, models
from mmnet.tflite import encode, flatbuffer, rearrange, softmax
from tests.helpers import run_here
from tests.tflite.helpers import traced


@pytest.mark.parametrize('name, hparams', [
    ('mmnet', {'width_multiplier': 0.5}),
    pytest.param('mmnet', {'width_multiplier': 0.5, 'refinement': False},
                 marks=pytest.mark.slow),
    ('mmnet', {'width_multiplier': 0.5, 'dilation': False, 'enhancement': False}),
    ('deeplab', {'width_multiplier': 0.35}),
    ('deeplab', {'width_multiplier': 0.35, 'output_stride': 8}), ('portraitnet', {}),
    ('modnet', {}),
    pytest.param('modnet', {'squeeze_excitation': True}, marks=pytest.mark.slow)])
def test_a_float_file_computes_the_network_with_dilations_and_no_leftovers(name, hparams):
    # Random weights give the rivals logits of ±50, and float32's last digits with them.
    size, tolerance = (64, 2e-4) if name in ('portraitnet', 'modnet') else (48, 2e-6)
    images = tf.placeholder(tf.float32, [1, size, size, 3])
    logits, _ = models.build(name, images, False, **hparams)
    pixels = np.random.RandomState(0).rand(2, size, size, 3).astype(np.float32)
    with tf.Session() as session:
        network = traced(logits, images, session)
        alpha = losses.foreground_alpha(logits)
        expected = np.stack([session.run(alpha, {images: row[np.newaxis]})[0] for row in pixels])
    assert expected.std() > 1e-3
    for head in ('logistic', 'builtin'):
        plain = softmax.SOFTMAXES[head](network)
        for layers in (plain, rearrange.rearrange(plain)):
            content = encode.encode(layers, 'float32', '', 'float32')
            np.testing.assert_allclose(run_here(content, pixels), expected, atol=tolerance)
            counts = flatbuffer.operator_counts(content)
            assert not set(counts) & {'SPACE_TO_BATCH_ND', 'BATCH_TO_SPACE_ND', 'CUSTOM',
                                      'QUANTIZE', 'DEQUANTIZE'}
            assert 'MUL' not in counts or name == 'modnet'
            # What ADD there is comes from residuals, or from the sums that stand for
            # concatenations.
            if name == 'mmnet' and layers is plain:
                assert 'ADD' not in counts
    if name == 'mmnet' and hparams.get('dilation', True):
        assert {layer.dilation for layer in network.layers} == {1, 2, 4, 8}


@pytest.mark.parametrize('body', [
    pytest.param(lambda net: net * tf.nn.relu6(net + 3) * (1 / 6), id='hard swish'),
    pytest.param(lambda net: net * (net + 1), id='a sum and its source'),
    pytest.param(lambda net: tf.concat([net, 2 * net], axis=3), id='a product beside its source'),
    pytest.param(lambda net: net + slim.batch_norm(net, is_training=False), id='batch norm beside'),
    pytest.param(lambda net: slim.batch_norm(tf.concat([net, net], axis=3), is_training=False,
                                             fused=True), id='batch norm after a concatenation'),
    pytest.param(lambda net: tf.concat([net, 2 * tf.identity(net)], axis=3), id='an identity'),
    pytest.param(lambda net: net + slim.batch_norm(slim.dropout(net, is_training=False),
                                                   is_training=False), id='dropout beside'),
    pytest.param(lambda net: 1 - (2.0 * net - 0.5), id='constants on the left'),
    pytest.param(lambda net: slim.separable_conv2d(net, 8, 3, 1, activation_fn=None),
                 id='separable')])
def test_operations_with_other_readers_stay_apart(body):
    images = tf.placeholder(tf.float32, [1, 16, 16, 3])
    net = body(slim.conv2d(images, 4, 3, activation_fn=None))
    logits = slim.conv2d(net, 2, 1, activation_fn=None)
    pixels = np.random.RandomState(0).rand(1, 16, 16, 3).astype(np.float32)
    with tf.Session() as session:
        network = softmax.SOFTMAXES['builtin'](traced(logits, images, session))
        expected = session.run(losses.foreground_alpha(logits), {images: pixels})
    assert expected.std() > 1e-3
    content = encode.encode(network, 'float32', '', 'float32')
    np.testing.assert_allclose(run_here(content, pixels), expected, atol=1e-5)


@pytest.mark.parametrize('body, named', [
    (lambda net: net + slim.conv2d(tf.nn.relu(net), 4, 1), 'follows no layer'),
    (lambda net: net + tf.nn.relu(tf.identity(net)), 'follows no layer'),
    (lambda net: net - tf.reduce_mean(net, 3, keepdims=True), 'over height and width')])
def test_shared_values_that_cannot_be_exported_are_named(body, named):
    images = tf.placeholder(tf.float32, [1, 16, 16, 3])
    net = body(slim.conv2d(images, 4, 3, activation_fn=None))
    with tf.Session() as session, pytest.raises(ValueError, match=named):
        traced(net, images, session)


def test_the_graph_is_left_out_but_for_what_leads_to_the_output():
    images = tf.placeholder(tf.float32, [1, 32, 32, 3])
    logits, _ = models.build('mmnet', images, False, width_multiplier=0.5)
    with tf.Session() as session:
        network = traced(logits, images, session)
    assert not [value for layer in network.layers for value in layer.outputs
                if 'aux' in value.name]


@pytest.mark.parametrize('spoil, named', [
    (lambda net: tf.tanh(net), 'Tanh'),
    (lambda net: tf.nn.max_pool2d(net, 2, 2, 'SAME'), 'MaxPool'),
    (lambda net: slim.conv2d(net, 2, 3, padding='VALID'), 'VALID'),
    (lambda net: tf.concat([net, net], axis=1), 'channels'),
    (lambda net: tf.tile(net, [1, 2, 2, 1]), 'single pixel'),
    (lambda net: tf.nn.relu(tf.concat([net, net], axis=3)), 'follows no layer'),
    (lambda net: tf.pad(net, [[0, 0], [1, 1], [1, 1], [0, 0]]), 'pads more'),
    (lambda net: tf.nn.avg_pool2d(net, 3, 2, 'SAME'), 'overlap')])
def test_what_cannot_be_exported_is_named(spoil, named):
    images = tf.placeholder(tf.float32, [1, 16, 16, 3])
    net = spoil(slim.conv2d(images, 2, 1, activation_fn=None))
    with tf.Session() as session, pytest.raises(ValueError, match=named):
        traced(net, images, session)
