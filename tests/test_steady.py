"""The filter for videos: what it keeps, what it follows, and what it forgets."""

import cv2
import numpy as np

from mmnet import steady
from mmnet.inference import sharpened
from mmnet.runtime import Predictor

SIZE = 64
RNG = np.random.RandomState(0)
TEXTURE = cv2.normalize(cv2.GaussianBlur(RNG.uniform(size=[3 * SIZE, 3 * SIZE, 3]), (7, 7), 2),
                        None, 0, 255, cv2.NORM_MINMAX)


def scene(shift=0, origin=0):
    """A textured disc, moved to the right, before another texture; and its alpha."""
    y, x = np.mgrid[:SIZE, :SIZE]
    alpha = np.clip(16.5 - np.hypot(x - 24 - shift, y - 32), 0, 1).astype(np.float32)
    background = TEXTURE[origin:origin + SIZE, :SIZE]
    disc = np.roll(TEXTURE[-SIZE:, -SIZE:], shift, axis=1)
    image = alpha[..., None] * disc + (1 - alpha[..., None]) * background
    return np.round(image).astype(np.uint8), alpha


def run(scenes, alphas):
    """Feeds images through a filter whose network answers with given alphas."""
    answers = iter(alphas)
    predictor = steady.steadied(Predictor(SIZE, lambda image: next(answers)[..., np.newaxis]))
    return [predictor.alpha(image)[..., 0] for image, _ in scenes]


def sharp(scene):
    """The alpha that a steadied scene should have: its own, sharpened."""
    image, alpha = scene
    return sharpened(alpha, image, SIZE)


def test_flicker_of_a_still_picture_shrinks():
    still = scene()
    flickering = [(still[1] * 0.8 + 0.1 + RNG.normal(0, 0.08, [SIZE, SIZE])).clip(0, 1)
                  .astype(np.float32) for _ in range(12)]
    steadied = run([still] * 12, flickering)
    before, after = (np.mean([np.abs(b - a).mean() for a, b in zip(each[4:], each[5:])])
                     for each in (flickering, steadied))
    assert after < 0.5 * before
    np.testing.assert_array_equal(steadied[0], sharp((still[0], flickering[0])))


def test_motion_is_followed_without_lag():
    scenes = [scene(shift) for shift in range(0, 16, 2)]
    steadied = run(scenes, [alpha for _, alpha in scenes])
    for each, found in zip(scenes[1:], steadied[1:]):
        # The error that remains lies within the soft edge. A lag of one frame would give 0.03.
        assert np.abs(found - sharp(each)).mean() < 0.01


def test_a_cut_is_forgotten_at_once():
    first, second = scene(), scene(shift=12, origin=SIZE)
    second = 255 - second[0], second[1]
    steadied = run([first, first, second], [first[1], first[1], second[1]])
    np.testing.assert_array_equal(steadied[2], sharp(second))


def test_a_wrong_answer_does_not_stay():
    """Something that the network takes for the person in a single frame fades."""
    still = scene()
    wrong = still[1].copy()
    wrong[:12, 48:] = 1
    steadied = run([still] * 8, [still[1], wrong] + [still[1]] * 6)
    assert np.abs(steadied[-1] - sharp(still)).max() < 0.1


def test_a_ragged_edge_keeps_to_the_picture_s(monkeypatch):
    """Each row's edge is somewhere else in each frame; the filter's share of that is measured."""
    rng = np.random.RandomState(0)
    _, alpha = scene()
    flat = np.round(255 * (0.2 + 0.6 * alpha[..., np.newaxis] * [1, 0.5, 0.8])).astype(np.uint8)
    ragged = [np.stack([np.roll(row, rng.randint(-2, 3)) for row in alpha]) for _ in range(8)]

    def flicker():
        return np.abs(np.diff(run([(flat, alpha)] * 8, ragged), axis=0)).mean()
    sharpened_flicker = flicker()
    monkeypatch.setattr(steady, 'sharpened', lambda alpha, image, size: alpha)
    assert sharpened_flicker < 0.5 * flicker()


def test_the_blend_by_hand():
    difference = np.array([[0, 5, 20, 0]], np.float32)
    alpha, last = np.full([1, 4], 0.5, np.float32), np.full([1, 4], 0.9, np.float32)
    share = 0.97 * np.exp(-(difference / 8) ** 2)
    np.testing.assert_allclose(steady.blend(alpha, last, difference), 0.5 + 0.4 * share, rtol=1e-5)
    # Most of the picture has changed: a cut.
    np.testing.assert_array_equal(steady.blend(alpha, last, difference + 15), alpha)


def test_a_certain_alpha_keeps_less_of_the_last_one():
    alpha, last = np.array([[1, 0, 0.75]], np.float32), np.array([[0, 1, 0]], np.float32)
    np.testing.assert_allclose(steady.blend(alpha, last, 0 * alpha), [
        [1 - 0.97 * 0.9, 0.97 * 0.9, 0.75 * (1 - 0.97 * 0.95)]], rtol=1e-5)


def moved(image, last_image, last_alpha):
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    return steady.moved(flow, image, last_image, last_alpha)


def test_noise_is_no_change_and_a_change_of_one_channel_is():
    rng, alpha = np.random.RandomState(0), np.zeros([SIZE, SIZE], np.float32)
    grey = np.full([SIZE, SIZE, 3], 120, np.uint8)
    noisy = [np.round(grey + rng.normal(0, 6, grey.shape)).astype(np.uint8) for _ in range(2)]
    assert np.median(moved(*noisy, alpha)[1]) < 3
    _, difference = moved(grey + np.uint8([0, 0, 60]), grey, alpha)
    np.testing.assert_allclose(difference, 60, atol=1)


def test_a_moved_alpha_stays_in_range_and_continues_beyond_the_border():
    """The camera turns by three pixels; what comes into view belongs to the person at the edge."""
    last, new = (np.round(TEXTURE[:SIZE, start:start + SIZE]).astype(np.uint8) for start in (0, 3))
    alpha = np.ones([SIZE, SIZE], np.float32)
    alpha[:, 30:34] = 0
    found, _ = moved(new, last, alpha)
    assert found[:, -6:].min() > 0.99 and found[:, 28].max() < 0.5
    assert 0 <= found.min() and found.max() <= 1
