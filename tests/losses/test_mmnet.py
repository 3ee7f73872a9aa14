"""MMNet's own terms against SciPy and by hand."""

import numpy as np
import pytest
import scipy.signal
import scipy.special
import tensorflow as tf

from mmnet import losses
from mmnet.losses import mmnet as own
from tests.helpers import constants, value

RNG = np.random.RandomState(0)
ALPHA, ALPHA_GT = RNG.rand(2, 2, 6, 5, 1)
IMAGES = RNG.rand(2, 6, 5, 3)
LOGITS = RNG.randn(2, 6, 5, 2)


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


def equation_10(images, logits, aux, truth, betas):
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    alpha, alpha_aux = (scipy.special.expit(each[..., 1:] - each[..., :1])
                        for each in (logits, aux))
    gradients = [np.abs(scipy.signal.convolve2d(each, kernel, mode='same'))
                 for each in (alpha - truth)[..., 0] for kernel in (sobel, sobel.T)]
    entropy, entropy_aux = (-np.mean(truth * np.log(each) + (1 - truth) * np.log(1 - each))
                            for each in (alpha, alpha_aux))
    return np.dot(betas, [np.abs(alpha - truth).mean(), np.abs(images * (alpha - truth)).mean(),
                          entropy, np.mean(gradients), entropy_aux])


def test_equation_10_and_its_gradient():
    rng = np.random.RandomState(0)
    images, truth, betas = rng.rand(2, 6, 5, 3), rng.rand(2, 6, 5, 1), [0.5, 2.0, 3.0, 5.0, 7.0]
    logits, aux, step, aux_step = rng.normal(size=[4, 2, 6, 5, 2])
    tensors = constants(logits, aux)
    found = own.objective(lambda _: (tensors[0], {'aux_logits': tensors[1]}),
                          losses.Batch(*constants(images, truth)), own.Weights(*betas))
    total, slopes = value([found.total, tf.gradients(found.total, tensors)])
    assert total == pytest.approx(equation_10(images, logits, aux, truth, betas), rel=1e-5)
    ends = [equation_10(images, logits + h * step, aux + h * aux_step, truth, betas)
            for h in (-1e-5, 1e-5)]
    assert (slopes[0] * step + slopes[1] * aux_step).sum() == pytest.approx(
        (ends[1] - ends[0]) / 2e-5, rel=1e-3)
