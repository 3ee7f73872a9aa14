import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from mmnet import metrics

RNG = np.random.RandomState(0)
ALPHA, ALPHA_GT = (scipy.ndimage.gaussian_filter(x, [0, 2, 2, 0]) * 5 - 2
                   for x in RNG.rand(2, 3, 40, 31, 1))


def value(tensor, *arrays):
    with tf.Session() as session:
        return session.run(tensor(*(tf.constant(array, tf.float32) for array in arrays)))


def test_gradient_error_against_scipy():
    """Equation 11 with scipy's Gaussian derivative, cut to 9×9, borders dropped."""
    def gradient(alpha):
        parts = [scipy.ndimage.gaussian_filter(alpha, 1.4, order=order, truncate=4 / 1.4)
                 for order in ([0, 1], [1, 0])]
        return np.stack(parts)[:, 4:-4, 4:-4]
    expected = [np.mean(np.linalg.norm(gradient(a[..., 0]) - gradient(b[..., 0]), axis=0))
                for a, b in zip(ALPHA, ALPHA_GT)]
    error = value(metrics.gradient_error, ALPHA, ALPHA_GT)
    assert error.shape == (3,)
    np.testing.assert_allclose(error, expected, rtol=1e-4)


def test_gradient_error_of_a_ramp_is_its_slope():
    ramp = np.tile(np.linspace(0, 1, 51)[np.newaxis, :, np.newaxis], [51, 1, 1])[np.newaxis]
    # The derivative filter sums to the slope times Σ x² G(x)/σ², a little below 1 as it is cut.
    x = np.arange(-4, 5)
    gaussian = np.exp(-x ** 2 / (2 * 1.4 ** 2))
    factor = np.sum(x ** 2 * gaussian) / gaussian.sum() / 1.4 ** 2
    assert value(metrics.gradient_error, ramp, 0 * ramp)[0] == pytest.approx(0.02 * factor, 1e-4)


def test_mean_absolute_difference():
    mad = value(metrics.mean_absolute_difference, ALPHA, ALPHA_GT)
    np.testing.assert_allclose(mad, np.abs(ALPHA - ALPHA_GT).mean(axis=(1, 2, 3)), rtol=1e-5)
