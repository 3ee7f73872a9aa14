"""Moving pictures made of stills: their parts, their motion, their files."""

import os

import numpy as np
import pytest
from PIL import Image

from mmnet.data.pairs import find_clips, find_pairs
from mmnet.datasets import clips
from tests.helpers import run


def test_frames_are_the_person_before_the_background_but_for_light_and_noise():
    person, background = clips.drawn_person(np.random.RandomState(0), 48, 64)
    black = list(clips.clip_of(person, np.zeros_like(background), np.random.RandomState(1), 12))
    white = list(clips.clip_of(person, np.ones_like(background), np.random.RandomState(1), 12))
    for (dark, alpha), (light, same) in zip(black, white):
        np.testing.assert_array_equal(alpha, same)
        # Between a white and a black background lies (1 − α) times the exposure.
        seen = light.astype(float).mean(axis=2) - dark.astype(float).mean(axis=2)
        inside = (light.max(axis=2) < 230) & (dark.min(axis=2) > 25)
        share = seen[inside] / (255.0 - alpha[inside]).clip(1)
        partly = alpha[inside] < 200
        assert partly.sum() == 0 or 0.75 < np.median(share[partly]) < 1.25


def test_people_move_a_little_and_smoothly():
    person, background = clips.drawn_person(np.random.RandomState(2), 48, 64)
    alphas = np.stack([alpha for _, alpha in clips.clip_of(
        person, background, np.random.RandomState(3), 24)]).astype(float) / 255
    steps = np.abs(np.diff(alphas, axis=0)).mean(axis=(1, 2))
    assert 0.001 < steps.mean() and steps.max() < 0.08
    assert abs(alphas.mean(axis=(1, 2)) - alphas.mean()).max() < 0.2


def test_the_light_wanders_between_the_sides():
    nobody, grey = np.zeros([64, 48, 4], np.float32), np.full([64, 48, 3], 0.5, np.float32)
    images = np.stack([image for image, _ in clips.clip_of(
        nobody, grey, np.random.RandomState(0), 90)]).astype(float)
    left, right = images[:, :, :8].mean(axis=(1, 2, 3)), images[:, :, -8:].mean(axis=(1, 2, 3))
    assert (left - right).max() > 10 and (left - right).min() < -10
    assert np.ptp(images.mean(axis=(1, 2, 3))) > 10, 'the exposure changes, too'


def test_paths_are_smooth_and_bounded():
    path = clips.smooth_path(np.random.RandomState(0), 200, period=30)
    assert abs(path).max() <= 1 and path.std() > 0.2
    assert abs(np.diff(path)).max() < 2 * np.pi / 30 * (0.55 + 1.7 * 0.3 + 2.9 * 0.15)


def test_the_ground_stands_still():
    field = clips.sway_field(np.random.RandomState(0), 40, 30)
    assert field.shape == (40, 30, 2) and abs(field[-1]).max() == 0 and abs(field[0]).max() > 0.05


def test_a_person_of_a_pair_has_premultiplied_colours(dataset):
    pair = find_pairs(dataset, 'test')[0]
    person = clips.person_of(pair)
    image = np.asarray(Image.open(pair.image)) / 255
    solid = person[..., 3] == 1
    assert person.shape == image.shape[:2] + (4,) and solid.any()
    np.testing.assert_allclose(person[solid][:, :3], image[solid], atol=0.02)
    assert (person[person[..., 3] == 0] == 0).all()


@pytest.mark.slow
def test_clips_of_a_data_set_and_drawn_ones(dataset, tmp_path):
    made, drawn = tmp_path / 'made', tmp_path / 'drawn'
    command = ('scripts/make_clips.py', dataset, made, '--clips', 2, '--frames', 3)
    status, out, err = run(*command)
    assert status == 0 and '2 clips of 3 frames' in out, err
    status, out, err = run('scripts/make_synthetic_portraits.py', drawn, '--clips', 2, '--frames',
                           3, '--width', 32, '--height', 48)
    assert status == 0 and '2 clips of 3 frames' in out, err
    for folder in (made, drawn):
        found = find_clips(str(folder))
        assert len(found) == 2 and all(len(frames) == 3 for frames in found.values())
    # The same command makes nothing twice, and mends what is missing in the same way.
    frame = made / '000' / 'image' / '00001.png'
    first = frame.read_bytes()
    os.rename(str(made / '000'), str(tmp_path / 'away'))
    assert run(*command)[0] == 0 and frame.read_bytes() == first
    status, _, err = run(*command[:-1], 4)
    assert status == 1 and err.count('\n') == 1
    status, _, err = run(*command, '--backgrounds', 'pairs')
    assert status == 1 and '--backgrounds pairs' in err and err.count('\n') == 1
