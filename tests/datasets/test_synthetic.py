"""Drawn portraits."""

import dataclasses

import numpy as np
import pytest

from mmnet.datasets.synthetic import draw_photos, draw_portrait


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


def test_photos_are_the_portraits_of_the_first_seeds():
    photos = draw_photos(2, 48)
    assert photos.shape == (2, 48, 48, 3) and photos.dtype == np.uint8
    second = draw_portrait(np.random.RandomState(1), 48, 48).image
    assert np.abs(photos[1] / 255 - second).max() <= 0.5 / 255 + 1e-6
