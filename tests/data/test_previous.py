import cv2
import numpy as np
import pytest

from mmnet.data import previous


def disc(size=64, x=0.5, y=0.5, radius=0.25):
    row, column = (np.mgrid[:size, :size] + 0.5) / size
    return np.uint8(255 * (np.hypot(column - x, row - y) < radius))[..., np.newaxis]


def test_the_past_is_empty_or_close_or_another_photo_s():
    alphas = np.stack([disc(x=0.3, radius=0.2), disc(x=0.75, y=0.7, radius=0.15)])
    # Photos may be kept in another size.
    others = [cv2.resize(alpha, (96, 96)) for alpha in alphas[::-1]]
    kinds = []
    for seed in range(400):
        rngs = [np.random.RandomState([seed, place]) for place in range(2)]
        past = previous.previous_alphas(alphas, others, rngs)
        assert past.shape == alphas.shape and past.dtype == np.uint8
        # A tear may look like anything, so the middle of the two discs decides.
        own, other = past[0, 32, 19, 0] > 127, past[0, 45, 48, 0] > 127
        kinds.append((not past[0].any(), own and not other, other and not own))
    empty, own, other = np.mean(kinds, axis=0)
    assert abs(empty - previous.EMPTY) < 0.06
    # Tears hide some of them.
    assert 0.65 < own <= 1 - previous.EMPTY - previous.OTHER + 0.03
    assert 0.04 < other < previous.OTHER + 0.06
    again = previous.previous_alphas(
        alphas, others, [np.random.RandomState([399, place]) for place in range(2)])
    np.testing.assert_array_equal(again, past)


def test_the_move_is_small_and_keeps_the_shape():
    alpha, rng = disc(), np.random.RandomState(0)
    centres, areas = [], []
    for _ in range(100):
        past = previous.moved(alpha, rng) / 255
        row, column = np.nonzero(past > 0.5)
        centres.append(((column.mean() + 0.5) / 64, (row.mean() + 0.5) / 64))
        areas.append(past.mean() / (alpha / 255).mean())
    offsets = np.abs(np.array(centres) - 0.5)
    # The shift, and a third of the bend at most: the spline's points move on their own.
    assert 0.01 < offsets.max() < 0.015 + 0.008
    # Scaled by 2 % along each side, and bent.
    assert 0.88 < min(areas) < 0.98 and 1.02 < max(areas) < 1.14


def test_the_spline_passes_through_its_points_and_holds_affine_maps():
    size = previous.POINTS * 5
    spline = previous.spline(size)
    # The middles of the cells are pixels' centres.
    at = np.arange(2, size, 5)
    places = (at[:, np.newaxis] * size + at).ravel()
    np.testing.assert_allclose(spline[places], np.eye(previous.POINTS ** 2), atol=1e-8)
    ticks = (np.arange(previous.POINTS) + 0.5) / previous.POINTS
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    ticks = (np.arange(size) + 0.5) / size
    pixels = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    affine = np.array([[0.3, -0.1], [0.2, 0.5]])
    np.testing.assert_allclose(spline.dot(points.dot(affine) + 0.1), pixels.dot(affine) + 0.1,
                               atol=1e-8)


def test_the_spline_bends_least():
    """The kernel r² log r² solves the biharmonic equation away from the points."""
    size = 40
    bent = previous.spline(size).dot(np.eye(16)[5]).reshape(size, size)
    twice = cv2.Laplacian(cv2.Laplacian(bent, cv2.CV_64F), cv2.CV_64F)
    # Points lie between the pixels 4 and 5, 14 and 15, and so on.
    away = np.ones([size, size], bool)
    for row in (5, 15, 25, 35):
        for column in (5, 15, 25, 35):
            away[row - 4:row + 4, column - 4:column + 4] = False
    away[:4], away[-4:], away[:, :4], away[:, -4:] = False, False, False, False
    assert abs(twice[away]).max() < 0.05 * abs(twice).max()


@pytest.mark.parametrize('value', [0, 255])
def test_tears_change_a_part_only(value):
    rng = np.random.RandomState(0)
    alpha = np.full([64, 64], value, np.uint8)
    changed = [(previous.torn(alpha, rng) != value).mean() for _ in range(100)]
    assert 0.02 < np.mean(changed) < 0.3 and max(changed) < 0.7
    assert (alpha == value).all()


def test_a_past_is_moved_and_mostly_damaged(monkeypatch):
    for name in ('EMPTY', 'OTHER'):
        monkeypatch.setattr(previous, name, 0)
    rngs = [np.random.RandomState(seed) for seed in range(200)]
    alphas = np.stack([disc()] * 200)

    def unchanged():
        return (previous.previous_alphas(alphas, alphas[..., 0], rngs) == alphas).all(
            axis=(1, 2, 3)).mean()
    monkeypatch.setattr(previous, 'DAMAGE', 0)
    assert unchanged() < 0.05
    monkeypatch.setattr(previous, 'DAMAGE', 0.5)
    monkeypatch.setattr(previous, 'moved', lambda alpha, rng: alpha[..., 0])
    # Two coins, neither of which damages it; a blur of a tenth of a pixel changes nothing either.
    assert 0.15 < unchanged() < 0.45
