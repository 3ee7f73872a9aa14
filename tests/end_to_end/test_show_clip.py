import os

import numpy as np
import pytest
from PIL import Image

from tests.helpers import draw_pair, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clips') / 'walk'
    image, mask = draw_pair(np.random.RandomState(0))
    for kind, pixels in (('image', image), ('mask', mask)):
        os.makedirs(str(folder / kind))
        for index in range(4):
            Image.fromarray(np.roll(pixels, index, axis=1)).save(
                str(folder / kind / f'{index}.png'))
    return folder


def test_a_strip_has_a_row_for_each_network_and_its_errors(clip, tmp_path):
    output = tmp_path / 'strip.png'
    status, out, err = run('scripts/show_clip.py', clip, '--steady', '--output', output,
                           '--frames', 3, '--first', 1, '--height', 96)
    assert status == 0 and str(output) in out, err
    picture = np.asarray(Image.open(str(output)))
    # Photo, truth, the network and its errors, the same steadied; 24 pixels of title above each.
    assert picture.shape == (6 * (96 + 24), 3 * 72, 3)
    truth = np.asarray(Image.open(str(clip / 'mask' / '1.png')))
    np.testing.assert_array_equal(picture[120 + 24:240, :72, 0], truth)
    alpha, error = (picture[start + 24:start + 120, :72].astype(int) for start in (240, 360))
    # Green is the size of the error, and red or blue stays full.
    assert abs(error[..., 1] - (255 - abs(alpha[..., 0] - truth))).max() <= 2
    assert (error.max(axis=2) == 255).all()


@pytest.mark.parametrize('flags, complaint', [
    (['--frames', 9], '--frames 9: the clip has 4'),
    (['--model', 'no.tflite', '--frames', 2], 'no such file')])
def test_bad_wishes_end_in_a_line(clip, tmp_path, flags, complaint):
    status, _, err = run('scripts/show_clip.py', clip, '--output', tmp_path / 'strip.png', *flags)
    assert status == 1 and complaint in err and err.count('\n') == 1
    assert not (tmp_path / 'strip.png').exists()


def test_other_folders_are_named(tmp_path):
    status, _, err = run('scripts/show_clip.py', tmp_path, '--output', tmp_path / 'strip.png')
    assert status == 1 and 'is not a clip' in err and err.count('\n') == 1
