"""Scores in all conventions against scipy, plain loops and values worked out by hand."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from mmnet import metrics, scores
from tests.helpers import dtssd, value


def random_mattes(seed, shape=(24, 31)):
    rng = np.random.RandomState(seed)
    return [scipy.ndimage.gaussian_filter(rng.uniform(-2, 3, shape), 2).clip(0, 1)
            for _ in range(2)]


def test_values_worked_out_by_hand():
    # One of 4 × 25 pixels is off by a half, inside an otherwise exact square.
    truth = np.zeros([10, 10])
    truth[2:8, 2:8] = 1
    alpha = truth.copy()
    alpha[4, 4] = 0.5
    found = scores.scores(alpha, truth, band=1)
    assert found['sad'] == pytest.approx(0.5 / 1000)
    assert found['mad'] == pytest.approx(0.5 / 100) and found['mse'] == pytest.approx(0.25 / 100)
    assert found['iou'] == pytest.approx(35 / 36)
    # The pixel leaves the component after θ = 0.5, where l = 0.5: φ(α) = 1 and φ(1) = 1 − 0.5.
    assert found['conn'] == pytest.approx(0.5 / 1000)
    # It is two pixels from the edge, outside of a band of one.
    assert found['sad_band'] == 0 and found['mse_band'] == 0
    # With a radius of 2 the whole square and the ring around it are in the band, 4 × 4 are not.
    band = scores.transition_band(truth, 2)
    assert not band[0, 0] and band[2, 0] and band[4, 4] and band[3, 3]
    assert scores.scores(alpha, truth, band=2)['sad_band'] == pytest.approx(0.5 / 1000)
    assert scores.scores(alpha, truth, band=2)['mse_band'] == pytest.approx(
        0.25 / scores.transition_band(truth, 2).sum())


def test_exact_mattes_score_nothing_and_flat_ones_have_no_band():
    alpha, _ = random_mattes(0)
    exact = scores.scores(alpha, alpha)
    assert exact.pop('iou') == 1 and not any(exact.values())
    flat = scores.scores(np.ones([12, 12]), np.ones([12, 12]))
    assert np.isnan(flat['sad_band']) and np.isnan(flat['mse_band'])
    assert scores.scores(np.zeros([12, 12]), np.zeros([12, 12]))['iou'] == 1
    means = scores.mean_scores([flat, exact])
    assert means['sad_band'] == 0 and scores.mean_scores([flat])['sad_band'] is None
    # A set may hold such images only; its mean is then a row of further means.
    assert scores.mean_scores([scores.mean_scores([flat]), exact])['sad_band'] == 0
    # A network that returns NaN has no good score.
    assert np.isnan(scores.mean_scores([{'mad': np.nan}, {'mad': 0.1}])['mad'])


@pytest.mark.parametrize('seed', range(3))
def test_grad_is_what_scipy_computes(seed):
    alpha, truth = random_mattes(seed)
    half = int(np.ceil(1.4 * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * 1.4 * 0.01))))
    x = np.arange(-half, half + 1)
    gaussian = np.exp(-x ** 2 / (2 * 1.4 ** 2)) / (1.4 * np.sqrt(2 * np.pi))
    kernel = np.outer(gaussian, -x * gaussian / 1.4 ** 2)
    kernel /= np.sqrt((kernel ** 2).sum())

    def steepness(matte):
        matte = (matte - matte.min()) / (matte.max() - matte.min())
        parts = [scipy.ndimage.convolve(matte, each, mode='nearest') for each in (kernel, kernel.T)]
        return np.sqrt(parts[0] ** 2 + parts[1] ** 2)
    expected = ((steepness(alpha) - steepness(truth)) ** 2).sum() / 1000
    assert scores.grad(alpha, truth) == pytest.approx(expected, rel=1e-9)
    # Stretching hides a matte's scale; a constant one counts as 0.
    assert scores.grad(0.5 * alpha, truth) == pytest.approx(expected, rel=1e-9)
    assert scores.grad(np.full_like(truth, 0.7), truth) == pytest.approx(
        (steepness(truth) ** 2).sum() / 1000)


@pytest.mark.parametrize('seed', range(3))
def test_conn_is_what_loops_over_levels_compute(seed):
    alpha, truth = random_mattes(seed)
    levels = np.full(alpha.shape, -1.0)
    for step in range(1, 11):
        both = (alpha >= step / 10) & (truth >= step / 10)
        labels, count = scipy.ndimage.label(both)
        sizes = scipy.ndimage.sum(both, labels, range(1, count + 1))
        largest = labels == 1 + int(np.argmax(sizes)) if count else np.zeros_like(both)
        levels[(levels == -1) & ~largest] = (step - 1) / 10
    levels[levels == -1] = 1

    def phi(matte):
        return 1 - (matte - levels) * (matte - levels >= 0.15)
    expected = sum(abs(phi(alpha) - phi(truth)).ravel()) / 1000
    assert scores.conn(alpha, truth) == pytest.approx(expected, rel=1e-12)


def test_the_paper_s_metrics_are_those_of_the_graph():
    alpha, truth = (np.float32(each) for each in random_mattes(4))
    tensors = [tf.constant(each[np.newaxis, ..., np.newaxis]) for each in (alpha, truth)]
    found = scores.scores(alpha, truth)
    for name, function in (('gradient_error', metrics.gradient_error),
                           ('mad', metrics.mean_absolute_difference)):
        assert found[name] == pytest.approx(value(function(*tensors))[0], rel=1e-5), name


def test_the_band_surrounds_soft_pixels():
    truth = np.zeros([30, 30])
    truth[15, 15] = 0.4
    y, x = np.mgrid[:30, :30]
    np.testing.assert_array_equal(scores.transition_band(truth, 5),
                                  np.hypot(y - 15, x - 15) <= 5)
    assert not scores.transition_band(np.zeros([30, 30]), 5).any()


def test_dtssd_of_a_flickering_pixel():
    still = [np.zeros([10, 10])] * 3
    flicker = [each.copy() for each in still]
    flicker[1][0, 0] = 1
    # √(1/100) = 0.1 where the pixel comes, again where it goes; the first frame counts as 0.
    assert dtssd(zip(flicker, still)) == pytest.approx(100 * (0 + 0.1 + 0.1) / 3)
    assert dtssd(zip(flicker, flicker)) == 0
    # A constant error does not flicker.
    assert dtssd((each + 0.5, each) for each in still) == 0


def test_every_score_names_its_convention():
    assert set(scores.scores(*random_mattes(5))) | {'dtssd'} == set(scores.CONVENTIONS)


def test_iou_by_hand():
    alpha, truth = np.array([[1, 1, 0, 0.4]]), np.array([[0.6, 0, 1, 0.5]])
    assert scores.iou(alpha, truth) == pytest.approx(1 / 3)
    assert scores.iou(0 * alpha, 0 * truth) == 1


def test_edge_iou_against_scipy():
    y, x = np.mgrid[:60, :40]
    truth = (np.hypot(x - 20, (y - 35) / 1.5) < 14).astype(float)
    predicted = np.roll(truth, 3, axis=1) * 0.9
    distance = scipy.ndimage.distance_transform_edt(truth)
    # σ is a part of the image's side.
    sigma = 3 / 224 * np.sqrt(60 * 40)
    weights = np.exp(-distance ** 2 / (2 * sigma ** 2)) * truth
    expected = weights[predicted > 0.5].sum() / weights.sum()
    assert scores.edge_iou(predicted, truth) == pytest.approx(expected, rel=1e-4)
    # With a large σ every pixel of the foreground counts alike.
    flat = scores.edge_iou(predicted, truth, sigma=1e3)
    assert flat == pytest.approx((truth * (predicted > 0.5)).sum() / truth.sum(), rel=1e-4)


@pytest.mark.parametrize('truth', [0.0, 1.0])
def test_edge_iou_without_a_boundary(truth):
    alpha = np.full([8, 8], truth)
    assert scores.edge_iou(1 - alpha, alpha) == 1


def test_the_band_is_ten_pixels():
    truth = np.zeros([40, 40])
    truth[:, 20:] = 1
    alpha = truth.copy()
    # 10 and 11 pixels from column 19, the first of the edge.
    alpha[0, 9] = alpha[0, 8] = 0.5
    assert scores.scores(alpha, truth)['sad_band'] == pytest.approx(0.5 / 1000)
