import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import models
from mmnet.models import layers, modnet

RNG = np.random.RandomState(0)


def test_parameters_of_the_released_form():
    images = tf.placeholder(tf.float32, [None, 64, 64, 3])
    models.build('modnet', images, True, squeeze_excitation=True)
    counts = {}
    for variable in tf.trainable_variables():
        block = variable.op.name.split('/')[0]
        counts[block] = counts.get(block, 0) + variable.shape.num_elements()
    assert counts == {'MobilenetV2': 2223872, 'MODNet': 6487075 - 2223872}


@pytest.mark.parametrize('squeeze_excitation', [False, True])
def test_each_branch_has_its_size(squeeze_excitation):
    images = tf.placeholder(tf.float32, [None, 64, 96, 3])
    logits, end_points = models.build('modnet', images, False,
                                      squeeze_excitation=squeeze_excitation)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = session.run([logits, end_points['semantic'], end_points['detail']],
                            {images: RNG.rand(2, 64, 96, 3)})
    assert [each.shape for each in found] == [(2, 64, 96, 2), (2, 4, 6, 1), (2, 64, 96, 1)]
    assert (found[0][..., 0] == 0).all() and found[0][..., 1].std() > 0
    # Without the rest of the encoder, only the detail branch reads its last map of stride 4.
    slope, = tf.gradients(end_points['detail'], end_points['expanded_conv_2'],
                          stop_gradients=[end_points['expanded_conv_3']])
    assert slope is not None


def test_half_the_channels_have_batch_norm_and_half_instance_norm():
    pixels = RNG.normal(3, 2, [4, 8, 8, 5]).astype(np.float32)
    with slim.arg_scope(layers.batch_norm_scope(True, 0.9, 1e-5, None,
                                                slim.xavier_initializer())):
        net = modnet.ibn_conv(tf.constant(pixels), 6, 1, scope='block')
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        weights, result = session.run([tf.trainable_variables()[0], net])
    assert [v.shape.as_list() for v in tf.trainable_variables()] == [[1, 1, 5, 6], [6], [3], [3]]
    plain = pixels.dot(weights[0, 0])

    def normal(part, axis):
        return (part - part.mean(axis, keepdims=True)) / np.sqrt(
            part.var(axis, keepdims=True) + 1e-5)
    expected = np.concatenate([normal(plain[..., :3], (0, 1, 2)),
                               normal(plain[..., 3:], (1, 2))], axis=-1)
    np.testing.assert_allclose(result, np.maximum(expected, 0), atol=1e-4)


def test_e_aspp_sees_as_far_as_its_rates():
    size, centre = 41, 20
    net = tf.constant(RNG.rand(1, size, size, 8).astype(np.float32))
    with slim.arg_scope(layers.batch_norm_scope(False, 0.9, 1e-3, None,
                                                slim.xavier_initializer())):
        out = modnet.efficient_aspp(net)
    gradient, = tf.gradients(out[:, centre, centre], net)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        reached = np.abs(session.run(gradient)).sum(axis=(0, 3)) > 0
    expected = {(dy * rate, dx * rate) for rate in modnet.RATES
                for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    assert {(y - centre, x - centre) for y, x in zip(*np.nonzero(reached))} == expected


def test_e_aspp_and_squeeze_and_excitation():
    assert modnet.RATES == (1, 6, 12, 18)
    pixels = np.random.RandomState(0).rand(1, 3, 3, 8).astype(np.float32)
    with slim.arg_scope(layers.batch_norm_scope(False, 0.9, 1e-5, None, tf.zeros_initializer())):
        net = modnet.squeeze_excite(tf.constant(pixels))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_allclose(session.run(net), 0.5 * pixels, rtol=1e-6)
