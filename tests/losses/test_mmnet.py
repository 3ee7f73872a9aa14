"""MMNet's own terms against SciPy and by hand."""

import numpy as np
import pytest
import scipy.signal

from mmnet import losses
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
