"""Equation 1 in both directions."""

import importlib
import os
import signal
import time

import numpy as np
import pytest

from mmnet import compositing
from mmnet.datasets.synthetic import draw_portrait

RNG = np.random.RandomState(0)


def test_a_composite_is_equation_1():
    foreground, background = RNG.randint(0, 256, [2, 5, 6, 3]).astype(np.uint8)
    alpha = RNG.rand(5, 6).astype(np.float32)
    expected = np.empty([5, 6, 3])
    for y in range(5):
        for x in range(6):
            expected[y, x] = (float(alpha[y, x]) * foreground[y, x].astype(float) +
                              (1 - float(alpha[y, x])) * background[y, x].astype(float))
    result = compositing.composite(foreground, alpha, background)
    assert result.dtype == np.uint8 and abs(result - expected).max() < 0.51
    colour = compositing.composite(foreground, alpha, np.array([9, 8, 7], np.uint8))
    np.testing.assert_array_equal(colour, compositing.composite(
        foreground, alpha, np.full([5, 6, 3], [9, 8, 7], np.uint8)))


def test_nothing_of_the_background_is_left_in_a_cut_out():
    image = RNG.randint(1, 256, [4, 4, 3]).astype(np.uint8)
    alpha = np.array([[0, 0.001, 0.5, 1]] * 4, np.float32)
    cutout = compositing.cut_out(image, alpha)
    assert cutout[0, :, 3].tolist() == [0, 0, 128, 255]
    assert not cutout[:, :2, :3].any()
    np.testing.assert_array_equal(cutout[:, 2:, :3], image[:, 2:])


def test_estimated_colours_are_nearer_to_the_person_s_own():
    """On drawn portraits F is known: composites on another background come out better with it."""
    errors = []
    for seed in range(6):
        portrait = draw_portrait(np.random.RandomState(seed), 120, 160)
        image, alpha, foreground = portrait.image, portrait.alpha, portrait.foreground
        pixels = np.round(image * 255).astype(np.uint8)
        soft = (alpha > 0.1) & (alpha < 0.9)
        white = np.array([255, 255, 255])
        expected = compositing.composite(np.round(foreground * 255), alpha, white)
        errors.append([
            abs(compositing.composite(colours, alpha, white).astype(float) - expected)[soft].mean()
            for colours in (pixels, compositing.foreground_colours(pixels, alpha))])
    as_it_is, estimated = np.mean(errors, axis=0)
    assert estimated < 0.6 * as_it_is


@pytest.fixture
def finished(monkeypatch):
    """SIGINT comes while PyMatting estimates; the list says whether it came to its end."""
    def interrupted(image, alpha):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        found.append(True)
        return image

    found = []
    pymatting = importlib.import_module('pymatting.foreground.estimate_foreground_ml')
    monkeypatch.setattr(pymatting, 'estimate_foreground_ml', interrupted)
    # A program that a script has put into the background ignores SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield found
    signal.signal(signal.SIGINT, before)


IMAGE, HALF = np.zeros([8, 8, 3], np.uint8), np.full([8, 8], 0.5, np.float32)


def test_ctrl_c_waits_for_compiled_code(finished):
    """It would end in a crash within Numba."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        compositing.foreground_colours(IMAGE, HALF)
    assert finished and signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_reaches_the_handler_from_before(finished):
    """A camera's recording ends whole by it."""
    arrived = []
    before = signal.signal(signal.SIGINT, lambda number, frame: arrived.append(number))
    try:
        colours = compositing.foreground_colours(IMAGE, HALF)
    finally:
        signal.signal(signal.SIGINT, before)
    assert finished and arrived == [signal.SIGINT] and not colours.any()


def test_the_blurred_background_has_nothing_of_the_person():
    image = np.full([60, 80, 3], [20, 40, 200], np.uint8)
    image[:, ::4, 1] = 80
    image[10:, 30:50] = [250, 10, 10]
    alpha = np.zeros([60, 80], np.float32)
    alpha[10:, 30:50] = 1
    blurred = compositing.blurred_background(image, alpha)
    assert blurred.shape == image.shape
    assert blurred[alpha == 0, 0].max() <= 23, 'red of the person'
    assert image[0, :, 1].std() > 10 * blurred[0, :, 1].std()
