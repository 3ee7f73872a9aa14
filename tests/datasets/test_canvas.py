"""Layers of colour and coverage."""

import numpy as np

from mmnet.datasets.canvas import SKIN, Canvas, palette_colour, smooth


def test_layers_cover_one_another():
    """Half a layer of 0.8 over a whole one of 0.2 makes 0.5; half of it alone makes 0.4."""
    canvas = Canvas(4, 2)
    below, above = np.zeros([2, 4], np.uint8), np.zeros([2, 4], np.uint8)
    below[:, :2], above[:, 1:3] = 255, 128
    canvas.paint(below, np.full(3, 0.2))
    canvas.paint(above, np.full(3, 0.8))
    half = 128 / 255
    np.testing.assert_allclose(canvas.alpha[0], [1, 1, half, 0], atol=1e-6)
    np.testing.assert_allclose(canvas.premultiplied[0, :, 0],
                               [0.2, 0.2 + half * 0.6, half * 0.8, 0], atol=1e-6)


def test_the_lamp_changes_colours_but_not_coverage():
    canvas = Canvas(8, 8, light=np.array([[0.5, 0.5], [1.0, 1.0]]))
    canvas.paint(np.full([8, 8], 255, np.uint8), np.full(3, 0.6))
    assert (canvas.alpha == 1).all()
    np.testing.assert_allclose(canvas.premultiplied[[0, 7], 0, 0], [0.3, 0.6], atol=1e-6)


def test_shapes_cover_their_area():
    canvas = Canvas(64, 64)
    disc = canvas.ellipse([32, 32], [20, 10]) / 255
    # OpenCV's smooth border adds less than a pixel around.
    assert np.pi * 20 * 10 <= disc.sum() <= np.pi * 21 * 11
    # Rounding a square's corners takes some of its area, and nothing leaves it.
    square = np.array([[8.0, 8.0], [56.0, 8.0], [56.0, 56.0], [8.0, 56.0]])
    plain, round_ = (canvas.polygon(points) / 255 for points in (square, smooth(square)))
    assert 0.75 * plain.sum() < round_.sum() < 0.95 * plain.sum()
    assert not (round_ > plain).any()


def test_colours_of_a_palette_lie_near_it():
    rng = np.random.RandomState(0)
    drawn = np.stack([palette_colour(rng, SKIN) for _ in range(200)])
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert (drawn > SKIN.min(axis=0) - 0.1).all() and (drawn < SKIN.max(axis=0) + 0.1).all()
