"""The input of a training: what options do to the photos."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import inputs
from mmnet.data import pairs, pixels
from mmnet.errors import UserError
from mmnet.hparams import Training
from tests.helpers import folder


def first_batch(photos, options):
    with tf.Session() as session:
        return session.run(tf.data.make_one_shot_iterator(
            inputs.make_dataset(photos, options)).get_next())


def test_plain_options_keep_the_photos(dataset):
    sets = pairs.find_sets([dataset], 'train')
    photos = inputs.load(sets, Training(), 32)
    np.testing.assert_array_equal(photos.pixels[0], pixels.load_sets(sets, 32)[0])
    assert len(photos) == 10 and not photos.unlabelled
    features, alphas = first_batch(photos, Training(batch_size=4, seed=1))
    assert set(features) == {'images'} and alphas.shape == (4, 32, 32, 1)


def test_crops_are_taken_from_larger_photos(dataset):
    options = Training(framing=0.5, batch_size=4, seed=1)
    photos = inputs.load(pairs.find_sets([dataset], 'train'), options, 32)
    assert photos.pixels[0].shape == (10, 48, 48, 4)
    assert first_batch(photos, options)[0]['images'].shape == (4, 32, 32, 3)


def test_photos_without_masks_come_beside_the_others(dataset):
    options = Training(teacher='x', unlabelled=(folder(dataset, 'image'),), batch_size=4, seed=1,
                       unlabelled_batch_size=3, framing=1.0, backgrounds=('pairs',))
    photos = inputs.load(pairs.find_sets([dataset], 'train'), options, 32)
    assert photos.pixels[0].shape == (10, 48, 48, 7)
    assert photos.variation.backgrounds.shape == (10, 48, 48, 3)
    assert photos.unlabelled[0].shape == (10, 32, 32, 4)
    features, alphas = first_batch(photos, options)
    assert features['images'].shape == (4, 32, 32, 3)
    assert features['unlabelled'].shape == (3, 32, 32, 3) and alphas.shape == (4, 32, 32, 1)


@pytest.mark.parametrize('name', ['backgrounds', 'unlabelled'])
def test_missing_folders_are_named_before_photos_are_read(dataset, monkeypatch, name):
    monkeypatch.setattr(inputs, 'load_sets', lambda *args, **kwargs: pytest.fail('read'))
    with pytest.raises(UserError, match=f'--{name} nowhere: no such folder'):
        inputs.load(pairs.find_sets([dataset], 'train'), Training(**{name: ('nowhere',)}), 32)
