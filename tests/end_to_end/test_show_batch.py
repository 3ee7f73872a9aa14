"""scripts/show_batch.py: the contact sheet holds what training gets."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet.data import decode
from mmnet.data.pairs import find_sets
from mmnet.data.pipeline import training_dataset
from mmnet.data.pixels import load_sets
from tests.helpers import run

pytestmark = pytest.mark.slow


def test_a_contact_sheet(dataset, tmp_path):
    sheet = tmp_path / 'sheet.png'
    args = ['scripts/show_batch.py', '--dataset_path', dataset, '--output', sheet, '--image_size',
            32, '--batch_size', 4, '--batches', 2, '--seed', 3]
    status, out, err = run(*args)
    assert status == 0, err
    assert '2 batches of 4' in out
    pixels = decode.read_image(str(sheet))
    assert pixels.shape == (4 * 32, 4 * 32, 3)
    tf.set_random_seed(3)
    batch = tf.data.make_one_shot_iterator(training_dataset(
        load_sets(find_sets([dataset], 'train'), 32), 4, seed=3)).get_next()
    with tf.Session() as session:
        for rows in np.split(pixels, 2):
            features, alphas = session.run(batch)
            images = features['images']
            np.testing.assert_array_equal(rows[:32], np.hstack(list(images)))
            share = np.hstack(list(alphas)).astype(float) / 255
            backdrop = np.array([0.16, 0.62, 0.35]) * 255
            expected = share * np.hstack(list(images)) + (1 - share) * backdrop
            assert abs(rows[32:] - expected).max() < 1.01
    status, _, err = run(*args)
    assert status == 1 and '--force' in err and err.count('\n') == 1


@pytest.mark.parametrize('flags, named', [
    (['--output', 'sheet.gif'], '.png'), (['--dataset_path', 'nowhere'], 'nowhere'),
    (['--zoom_out', 0.4], '--zoom_out: has no effect without --backgrounds')])
def test_bad_input_ends_in_a_line(dataset, tmp_path, flags, named):
    status, _, err = run('scripts/show_batch.py', '--dataset_path', dataset, '--output',
                         tmp_path / 'sheet.png', *flags)
    assert status == 1 and named in err and err.count('\n') == 1
