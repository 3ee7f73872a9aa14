"""Drawn portraits."""

import dataclasses

import numpy as np
import pytest

from mmnet.datasets.synthetic import Canvas, draw_portrait, paint_arms, paint_seat, room


@pytest.fixture(scope='module')
def portraits():
    return [draw_portrait(np.random.RandomState(seed), 120, 160) for seed in range(12)]


def test_the_image_is_equation_1_of_its_parts(portraits):
    for portrait in portraits:
        image, alpha, foreground, background = dataclasses.astuple(portrait)
        assert image.shape == foreground.shape == background.shape == (160, 120, 3)
        assert alpha.shape == (160, 120)
        for part in (image, alpha, foreground, background):
            assert part.dtype == np.float32 and part.min() >= 0 and part.max() <= 1
        expected = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
        np.testing.assert_allclose(image, expected, atol=1e-6)
        assert not foreground[alpha == 0].any()


def test_alphas_are_people_with_soft_hair(portraits):
    for alpha in (portrait.alpha for portrait in portraits):
        assert 0.1 < (alpha == 1).mean() < 0.8 and (alpha == 0).mean() > 0.15
        # The shoulders reach the lower border, the person does not fill the upper one.
        assert alpha[-1].mean() > 0.3 and alpha[0].mean() < 0.5
    soft = np.mean([((portrait.alpha > 0.1) & (portrait.alpha < 0.9)).mean()
                    for portrait in portraits])
    assert soft > 0.02


def test_colour_alone_does_not_tell_the_person(portraits):
    """A threshold on no channel, either way, comes near to the alpha."""
    images = np.stack([portrait.image for portrait in portraits])
    people = np.stack([portrait.alpha > 0.5 for portrait in portraits])
    for channel in range(3):
        for threshold in np.linspace(0.1, 0.9, 9):
            right = ((images[..., channel] > threshold) == people).mean()
            assert 0.2 < right < 0.8


def test_seeds_draw_the_same_and_others():
    first, again, other = (draw_portrait(np.random.RandomState(seed), 48, 64).image
                           for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_seats_come_up_from_below_and_rooms_stay_colours():
    for seed in range(20):
        rng = np.random.RandomState(seed)
        canvas = Canvas(64, 64)
        paint_seat(canvas, rng)
        covered = canvas.alpha > 0.5
        assert not covered.any() or covered[-1].any()
        assert canvas.alpha[0].max() == 0 and canvas.alpha.max() <= 1
        picture = np.full([64, 64, 3], 0.5, np.float32)
        room(picture, rng)
        assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1


def test_an_arm_begins_at_its_shoulder():
    shoulders, cloth = np.array([[20.0, 60.0], [44.0, 60.0]]), np.full([96, 64, 3], 0.5)
    for seed in range(20):
        canvas = Canvas(64, 96)
        paint_arms(canvas, np.random.RandomState(seed), shoulders, [1], 8.0, cloth, np.full(3, 0.8))
        assert canvas.alpha[60, 44] == 1 and canvas.alpha[60, 20] < 1
        # Shoulder to fingertips: at most 4.4 radii of arm, 0.72 of palm, and 1.62 of fingers.
        rows, columns = np.nonzero(canvas.alpha)
        assert np.hypot(rows - 60, columns - 44).max() < 8 * 7.2
