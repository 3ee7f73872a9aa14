import cv2
import numpy as np
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers, portraitnet
from tests.helpers import constants, value

RNG = np.random.RandomState(0)


def test_convolution_and_upsampling_commute():
    """Why the logits may be taken before decoder 3's upsampling."""
    net = tf.constant(np.random.RandomState(0).rand(2, 8, 8, 16).astype(np.float32))
    before = layers.upsample(layers.upsample(layers.logits_conv(net, 'final')))
    with tf.variable_scope('', reuse=True):
        after = layers.logits_conv(layers.upsample(layers.upsample(net)), 'final')
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        one, other = session.run([before, after])
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_branches_are_drawn_as_narrow_convolutions():
    wide = layers.branchwise(slim.xavier_initializer(seed=0), 4)([1, 1, 16, 400])
    with tf.Session() as session:
        weights = session.run(wide)
    # Xavier uniform for 16 inputs and the 100 outputs of one branch.
    limit = np.sqrt(6 / (16 + 100))
    assert 0.98 * limit < np.abs(weights).max() <= limit


def test_pixels_are_normalized_as_printed():
    pixels = RNG.randint(0, 256, [1, 4, 4, 3])
    images, = constants(pixels / 255)
    normalized = value(layers.normalize(images, portraitnet.MEAN / 255, portraitnet.SCALE * 255))
    blue_green_red = (pixels[..., ::-1] - [103.94, 116.78, 123.68]) * 0.017
    np.testing.assert_allclose(normalized, blue_green_red[..., ::-1], atol=1e-5)


def test_deconvolutions_start_as_bilinear_upsampling():
    image = RNG.rand(7, 9).astype(np.float32)
    net = tf.constant(np.stack([image, 2 * image], axis=-1)[np.newaxis])
    doubled = layers.deconv_upsample(net)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        result = session.run(doubled)
    expected = cv2.resize(image, (18, 14), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(result[0, 1:-1, 1:-1, 0], expected[1:-1, 1:-1], atol=1e-6)
    np.testing.assert_allclose(result[..., 1], 2 * result[..., 0], atol=1e-6)


def test_upsampling_once_by_four_is_upsampling_twice_by_two():
    net = tf.constant(np.random.RandomState(0).rand(1, 6, 6, 2).astype(np.float32))
    with tf.Session() as session:
        once, twice = session.run([layers.upsample(net, 4),
                                   layers.upsample(layers.upsample(net))])
    np.testing.assert_allclose(once, twice, atol=1e-6)
