"""Soft alphas from hard masks."""

import numpy as np

from mmnet.datasets import soften
from tests.helpers import draw_pair


def test_a_trimap_is_unknown_along_the_edge_only():
    mask = np.zeros([60, 80], np.uint8)
    mask[20:, 30:50] = 255
    trimap = soften.make_trimap(mask)
    # The radius is 2: at most two pixels to each side are unknown, and none at the photo's border.
    assert trimap[40, 30:50].tolist() == [0.5] * 2 + [1] * 16 + [0.5] * 2
    assert trimap[40, 28] == 0.5 and trimap[40, 27] == 0 and trimap[59, 40] == 1
    mask[40, 40] = 100
    assert (soften.make_trimap(mask)[38:43, 40] == 0.5).all(), 'what is soft is unknown'


def test_edges_become_soft_and_regions_stay():
    image, truth = draw_pair(np.random.RandomState(1), 60, 80)
    hard = (truth > 127).astype(np.uint8) * 255
    alpha = soften.soften(image, hard)
    assert alpha.shape == hard.shape and alpha.dtype == np.uint8
    trimap = soften.make_trimap(hard)
    for value in (0, 1):
        assert abs(alpha[trimap == value] / 255 - value).max() < 0.02
    edge = trimap == 0.5
    assert (abs(alpha.astype(int) - truth)[edge].mean() <
            0.6 * abs(hard.astype(int) - truth)[edge].mean())


def test_masks_without_an_edge_stay():
    image = np.zeros([40, 30, 3], np.uint8)
    for value in (0, 255):
        mask = np.full([40, 30], value, np.uint8)
        np.testing.assert_array_equal(soften.soften(image, mask), mask)


def test_masks_smaller_than_their_photo():
    image, truth = draw_pair(np.random.RandomState(2), 90, 120)
    hard = (truth[::2, ::2] > 127).astype(np.uint8) * 255
    assert soften.soften(image, hard).shape == (60, 45)


def test_long_masks_are_solved_at_a_bounded_length(monkeypatch):
    solved = []
    monkeypatch.setattr(soften, 'LONGEST', 60)
    monkeypatch.setattr(soften, 'estimate_alpha_cf',
                        lambda image, trimap: solved.append(trimap.shape) or trimap)
    image, truth = draw_pair(np.random.RandomState(2), 90, 120)
    hard = (truth > 127).astype(np.uint8) * 255
    assert soften.soften(image, hard).shape == (120, 90) and solved == [(60, 45)]
