"""The shared terms by other means; logits and alphas are random."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import losses
from tests.helpers import constants, value

RNG = np.random.RandomState(0)
ALPHA, ALPHA_GT = RNG.rand(2, 2, 6, 5, 1)
IMAGES = RNG.rand(2, 6, 5, 3)
LOGITS = RNG.randn(2, 6, 5, 2)


def test_alpha_loss_by_hand():
    alpha, alpha_gt = constants([[[[0.25], [1.0]]]], [[[[0.75], [0.9]]]])
    assert value(losses.alpha_loss(alpha, alpha_gt)) == pytest.approx((0.5 + 0.1) / 2)


def test_compositional_loss_by_hand():
    images, alpha, alpha_gt = constants([[[[0.3, 0.6, 0.9]]]], [[[[0.5]]]], [[[[1.0]]]])
    assert value(losses.compositional_loss(images, alpha, alpha_gt)) == pytest.approx(0.3)


def test_compositional_loss():
    expected = np.mean(np.abs(ALPHA * IMAGES - ALPHA_GT * IMAGES))
    assert value(losses.compositional_loss(*constants(IMAGES, ALPHA, ALPHA_GT))) == \
        pytest.approx(expected, rel=1e-5)


def test_kl_loss_is_the_cross_entropy_of_the_softmax():
    softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    alpha = softmax[..., 1:]
    expected = -np.mean(ALPHA_GT * np.log(alpha) + (1 - ALPHA_GT) * np.log(1 - alpha))
    assert value(losses.kl_loss(*constants(LOGITS, ALPHA_GT))) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(value(losses.foreground_alpha(*constants(LOGITS))), alpha, atol=1e-6)


def test_kl_loss_is_finite_for_extreme_logits():
    logits, alpha_gt = constants([[[[-500.0, 500.0]]]], [[[[0.0]]]])
    assert value(losses.kl_loss(logits, alpha_gt)) == pytest.approx(1000)


def test_weight_decay_leaves_depthwise_convolutions_and_norms_alone():
    with tf.Graph().as_default():
        variables = [tf.get_variable(name, initializer=tf.constant([3.0, 4.0]))
                     for name in ('a/weights', 'a/depthwise_weights', 'a/BatchNorm/gamma', 'b')]
        decay = losses.weight_decay(variables, 0.1)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            assert session.run(decay) == pytest.approx(0.1 * 25 / 2)
