"""scripts/make_synthetic_portraits.py: a dataset is made, completed and left alone."""

import os

import numpy as np
import pytest

from mmnet.data import decode, pairs
from mmnet.datasets.synthetic import draw_portrait
from tests.helpers import run

pytestmark = pytest.mark.slow

SCRIPT = 'scripts/make_synthetic_portraits.py'
SMALL = ['--train', 5, '--test', 2, '--width', 48, '--height', 64]


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
    for flags, named in ((['--width', 8], '--width 8'), (['--frames', 3], 'pass --clips with it'),
                         (['--clips', 1, '--test', 1], 'leave them out with --clips')):
        status, _, err = run(SCRIPT, tmp_path / 'new', *flags)
        assert status == 1 and named in err and err.count('\n') == 1
        assert not (tmp_path / 'new').exists()
