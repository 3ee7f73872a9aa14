import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from mmnet import losses

RNG = np.random.RandomState(0)
ALPHA, ALPHA_GT = RNG.rand(2, 2, 6, 5, 1)
IMAGES = RNG.rand(2, 6, 5, 3)
LOGITS = RNG.randn(2, 6, 5, 2)


def value(tensor):
    with tf.Session() as session:
        return session.run(tensor)


def constants(*arrays):
    return [tf.constant(array, tf.float32) for array in arrays]


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


def test_gradient_loss_against_scipy():
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    difference = (ALPHA - ALPHA_GT)[..., 0]
    terms = [np.abs(scipy.signal.convolve2d(image, kernel, mode='same'))
             for image in difference for kernel in (sobel, sobel.T)]
    assert value(losses.gradient_loss(*constants(ALPHA, ALPHA_GT))) == \
        pytest.approx(np.mean(terms), rel=1e-5)


def test_gradient_loss_of_an_edge_by_hand():
    # One bright pixel in the middle of 3×3: each filter's taps land in the image once.
    alpha = np.zeros([1, 3, 3, 1])
    alpha[0, 1, 1] = 1
    assert value(losses.gradient_loss(*constants(alpha, 0 * alpha))) == \
        pytest.approx(2 * (1 + 2 + 1 + 1 + 2 + 1) / 8 / 18)


def test_auxiliary_loss_takes_the_nearest_ground_truth():
    alpha_gt = np.zeros([1, 4, 4, 1])
    alpha_gt[0, ::2, ::2, 0] = [[1, 0], [0, 1]]
    logits = np.zeros([1, 2, 2, 2])
    logits[..., 1] = 2
    alpha = 1 / (1 + np.exp(-2))
    expected = -(np.log(alpha) + np.log(1 - alpha)) / 2
    assert value(losses.auxiliary_loss(*constants(logits, alpha_gt))) == \
        pytest.approx(expected, rel=1e-5)


def test_terms_and_their_weighted_sum():
    images, logits, alpha_gt = constants(IMAGES, LOGITS, ALPHA_GT)
    terms = losses.matting_losses(images, logits, None, alpha_gt)
    assert list(terms) == ['alpha', 'compositional', 'kl', 'gradient']
    terms = losses.matting_losses(images, logits, logits, alpha_gt)
    assert list(terms)[-1] == 'auxiliary'
    weights = {name: weight for weight, name in enumerate(terms)}
    total, values = value([losses.weighted_sum(terms, weights), list(terms.values())])
    assert total == pytest.approx(np.dot(values, range(5)), rel=1e-6)


def test_weight_decay_leaves_depthwise_convolutions_and_norms_alone():
    with tf.Graph().as_default():
        variables = [tf.get_variable(name, initializer=tf.constant([3.0, 4.0]))
                     for name in ('a/weights', 'a/depthwise_weights', 'a/BatchNorm/gamma', 'b')]
        decay = losses.weight_decay(variables, 0.1)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            assert session.run(decay) == pytest.approx(0.1 * 25 / 2)
