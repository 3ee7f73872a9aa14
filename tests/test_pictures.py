"""Strips and picture files."""

import numpy as np
import pytest
from PIL import Image

from mmnet import pictures
from mmnet.errors import UserError
from tests.helpers import constants, value


def test_a_strip_has_a_row_for_each_example():
    rng = np.random.RandomState(0)
    images, alphas, truths = rng.rand(2, 4, 5, 3), rng.rand(2, 4, 5, 1), rng.rand(2, 4, 5, 1)
    strip = value(pictures.strip(*constants(images, alphas, truths)))
    assert strip.shape == (1, 8, 20, 3) and strip.dtype == np.uint8
    person = images[1] * alphas[1] + np.array(pictures.STRIP_BACKGROUND) * (1 - alphas[1])
    for cell, expected in enumerate((images[1], alphas[1], truths[1], person)):
        shown = strip[0, 4:, 5 * cell:5 * cell + 5] / 255
        np.testing.assert_allclose(shown, np.broadcast_to(expected, [4, 5, 3]), atol=1 / 255)


def test_files_are_what_their_names_say(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [6, 8, 3]).astype(np.uint8)
    for name, form in (('a.png', 'PNG'), ('a.JPG', 'JPEG')):
        pictures.save(pixels, str(tmp_path / name))
        with Image.open(str(tmp_path / name)) as image:
            assert image.format == form and image.size == (8, 6)
    np.testing.assert_array_equal(np.asarray(Image.open(str(tmp_path / 'a.png'))), pixels)
    with pytest.raises(UserError, match='a.gif: pictures are written as'):
        pictures.check_output(str(tmp_path / 'a.gif'), force=True)
    with pytest.raises(UserError, match='--force'):
        pictures.check_output(str(tmp_path / 'a.png'), force=False)
