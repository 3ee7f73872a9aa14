"""Drawn portraits, and the script that makes a dataset of them."""

import os

import numpy as np
import pytest

from mmnet.data import decode, pairs
from mmnet.data.synthetic import draw_portrait
from tests.conftest import run

SCRIPT = 'scripts/make_synthetic_portraits.py'
SMALL = ['--train', 5, '--test', 2, '--width', 48, '--height', 64]


@pytest.fixture(scope='module')
def portraits():
    return [draw_portrait(np.random.RandomState(seed), 120, 160) for seed in range(12)]


def test_the_image_is_equation_1_of_its_parts(portraits):
    for image, alpha, foreground, background in portraits:
        assert image.shape == foreground.shape == background.shape == (160, 120, 3)
        assert alpha.shape == (160, 120)
        for part in (image, alpha, foreground, background):
            assert part.dtype == np.float32 and part.min() >= 0 and part.max() <= 1
        expected = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
        np.testing.assert_allclose(image, expected, atol=1e-6)
        assert not foreground[alpha == 0].any()


def test_alphas_are_people_with_soft_hair(portraits):
    for _, alpha, _, _ in portraits:
        assert 0.1 < (alpha == 1).mean() < 0.8 and (alpha == 0).mean() > 0.15
        # The shoulders reach the lower border, the person does not fill the upper one.
        assert alpha[-1].mean() > 0.3 and alpha[0].mean() < 0.5
    soft = np.mean([((alpha > 0.1) & (alpha < 0.9)).mean() for _, alpha, _, _ in portraits])
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


def test_a_dataset_is_made_and_completed(tmp_path):
    dest = tmp_path / 'portraits'
    status, out, err = run(SCRIPT, dest, *SMALL)
    assert status == 0, err
    assert '5 portraits to train on, 2 to measure on' in out
    found = pairs.find_pairs(str(dest), 'train')
    assert len(found) == 5 and len(pairs.find_pairs(str(dest), 'test')) == 2
    image, mask = decode.read_image(found[3].image), decode.read_mask(found[3].mask)
    expected = draw_portrait(np.random.RandomState([0, 0, 3]), 48, 64)
    assert np.array_equal(mask, np.round(expected.alpha * 255).astype(np.uint8))
    assert np.abs(image / 255 - expected.image).mean() < 0.03

    before = open(found[3].image, 'rb').read()
    os.remove(found[3].image)
    os.utime(found[0].image, (1, 1))
    status, _, err = run(SCRIPT, dest, *SMALL)
    assert status == 0, err
    assert open(found[3].image, 'rb').read() == before
    assert os.path.getmtime(found[0].image) == 1, 'drawn anew'

    status, _, err = run(SCRIPT, dest, *SMALL + ['--train', 3])
    assert status == 1 and '--train 3' in err and err.count('\n') == 1, 'all 5 would be trained on'
    status, _, err = run(SCRIPT, dest, *SMALL + ['--seed', 1])
    assert status == 1 and 'another folder' in err and err.count('\n') == 1


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    status, _, err = run(SCRIPT, tmp_path, *SMALL)
    assert status == 1 and 'holds other files' in err and err.count('\n') == 1
    assert os.listdir(str(tmp_path)) == ['mine.txt']
    status, _, err = run(SCRIPT, tmp_path / 'new', '--width', 8)
    assert status == 1 and '--width 8' in err and err.count('\n') == 1
