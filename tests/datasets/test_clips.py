"""Moving pictures made of stills: their parts, their motion, their files."""

import os

import numpy as np
import pytest
from PIL import Image

from mmnet.data.pairs import find_clips, find_pairs
from mmnet.datasets import clips
from tests.helpers import run


LIGHT = ('EXPOSURE', 'SIDE_LIGHT', 'NOISE')
MOTIONS = ('TRAVEL', 'GROWTH', 'TURNING', 'LEANING', 'SWAY', 'SHAKE')


def switch_off(monkeypatch, names):
    for name in names:
        monkeypatch.setattr(clips, name, 0)


def test_without_light_and_noise_a_frame_is_equation_1(monkeypatch):
    switch_off(monkeypatch, LIGHT)
    person, background = clips.drawn_person(np.random.RandomState(0), 48, 64)
    black, white = (list(clips.clip_of(person, np.full_like(background, grey),
                                       np.random.RandomState(1), 12)) for grey in (0, 1))
    for (dark, alpha), (light, same) in zip(black, white):
        np.testing.assert_array_equal(alpha, same)
        # Between a white and a black background lies 1 − α.
        rest = 255 - alpha[..., np.newaxis].astype(int)
        assert abs(light.astype(int) - dark - rest).max() <= 1 and rest.std() > 50


@pytest.mark.parametrize('motion', [None, *MOTIONS])
def test_each_motion_alone_moves_the_person(monkeypatch, motion):
    switch_off(monkeypatch, {*MOTIONS} - {motion})
    person, background = clips.drawn_person(np.random.RandomState(2), 48, 64)
    alphas = [alpha for _, alpha in clips.clip_of(person, background, np.random.RandomState(3), 8)]
    assert (np.ptp(alphas, axis=0).max() > 20) == (motion is not None)


def test_the_background_moves_and_its_border_is_never_seen(monkeypatch):
    switch_off(monkeypatch, LIGHT)
    y, x = np.mgrid[:64, :48].astype(np.float32)
    places = np.dstack([x / 47, y / 63, 0 * x])
    frames = np.stack([image for image, _ in clips.clip_of(
        np.zeros([64, 48, 4], np.float32), places, np.random.RandomState(0), 90)]) / 255
    # Colours tell the place: eight tenths are seen, and the middle wanders along both axes.
    np.testing.assert_allclose(np.ptp(frames[..., :2], axis=(1, 2)), 0.8, atol=0.02)
    assert frames[..., :2].min() > 0.02 and frames[..., :2].max() < 0.98
    assert (np.ptp(frames[:, 32, 24, :2], axis=0) > 0.03).all()


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
    # Along a column, only noise differs.
    assert np.diff(images, axis=1).std() / np.sqrt(2) == pytest.approx(255 * 0.012, rel=0.03)


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
