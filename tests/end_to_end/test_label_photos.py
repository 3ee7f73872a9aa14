"""scripts/label_photos.py as a person runs it."""

import os
import runpy
import shutil

import numpy as np
import pytest

from mmnet import inference
from mmnet.data import decode, pairs
from tests.helpers import ROOT, folder, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('label_photos')]


# It has learned to tell photos apart; a network of one step gives all of them 0.51.
NETWORK = 'pretrained:mmnet_dm1.0_128'


def test_photos_get_the_network_s_mattes(dataset, tmp_path):
    photos, dest = folder(dataset, 'image', 'test'), tmp_path / 'labelled'
    command = ['scripts/label_photos.py', '--model', NETWORK, photos,
               folder(dataset, 'image'), dest]
    status, out, err = run(*command)
    assert status == 0 and '15 train pairs' in out, err
    found = pairs.find_pairs(str(dest), 'train')
    assert len(found) == 15
    image = decode.read_image(os.path.join(photos, '002.jpg'))
    predictor = inference.load(NETWORK, '--model')
    expected = np.round(255 * inference.matte(predictor, image))
    assert expected.std() > 50
    pair, = [each for each in found if each.stem == '0_002']
    assert abs(decode.read_alpha(pair.mask) - expected).max() <= 1
    with open(pair.image, 'rb') as copy, open(os.path.join(photos, '002.jpg'), 'rb') as original:
        assert copy.read() == original.read()
    # The same command goes on; another one is refused, and so is a bad photo.
    os.remove(pair.mask)
    status, out, err = run(*command)
    assert status == 0 and os.path.exists(pair.mask), err
    status, _, err = run(*command, '--confidence', 0.5)
    assert status == 1 and 'labelled' in err and err.count('\n') == 1
    shutil.copytree(photos, str(tmp_path / 'bad'))
    (tmp_path / 'bad' / '001.jpg').write_text('no picture')
    status, _, err = run(*command[:3], tmp_path / 'bad', tmp_path / 'new')
    assert status == 1 and '001.jpg' in err and not (tmp_path / 'new').exists()


def test_a_matte_of_almost_nothing_is_not_taken_for_labels():
    program = runpy.run_path(os.path.join(ROOT, 'scripts', 'label_photos.py'))
    for alpha, expected in ((0.003, 0), (0.01, 3), (1, 255)):
        mask = program['mask_of'](np.array([[0, alpha]], np.float32))
        np.testing.assert_array_equal(mask, [[0, expected]])


def test_photos_that_would_share_a_matte_are_named(dataset, tmp_path):
    for name in ('same.jpg', 'same.jpeg'):
        shutil.copy(os.path.join(folder(dataset, 'image'), '001.jpg'), str(tmp_path / name))
    status, _, err = run('scripts/label_photos.py', '--model', NETWORK, tmp_path, tmp_path / 'new')
    assert status == 1 and 'same.jpg' in err and 'same.jpeg' in err and err.count('\n') == 1
    assert not (tmp_path / 'new').exists()


def test_photos_that_the_network_is_not_sure_of_are_left_out(dataset, tmp_path):
    status, out, err = run('scripts/label_photos.py', '--model', NETWORK,
                           folder(dataset, 'image'), tmp_path / 'new', '--confidence', 1)
    assert status == 0 and '0 train pairs; 10 left out' in out, err
