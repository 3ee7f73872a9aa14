"""The registry: what `models.build` takes and refuses."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import models


@pytest.mark.parametrize('name, size, hparams, sizes', [
    ('mmnet', 100, {}, '96 or 112'), ('mmnet', 8, {}, '16'),
    ('deeplab', 100, {'output_stride': 8}, '96 or 104'),
    ('deeplab', 130, {'output_stride': 16}, '128 or 144')])
def test_other_sizes_are_refused(name, size, hparams, sizes):
    with pytest.raises(ValueError, match=sizes):
        models.build(name, tf.placeholder(tf.float32, [1, size, size, 3]), True, **hparams)


@pytest.mark.parametrize('name, hparams, complaint', [
    ('unet', {}, 'deeplab, mmnet'), ('mmnet', {'output_stride': 8}, 'output_stride'),
    ('deeplab', {'output_stride': 4}, '8 or 16'), ('mmnet', {'width_multiplier': 0}, 'above 0')])
def test_unknown_settings_are_refused(name, hparams, complaint):
    with pytest.raises(ValueError, match=complaint):
        models.build(name, tf.placeholder(tf.float32, [1, 64, 64, 3]), True, **hparams)


@pytest.mark.parametrize('name, height, width', [('mmnet', 48, 80), ('deeplab', 32, 48)])
def test_any_multiple_of_the_stride_and_any_batch(name, height, width):
    images = tf.placeholder(tf.float32, [None, height, width, 3])
    logits, _ = models.build(name, images, False)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for batch in (1, 3):
            values = session.run(logits, {images: np.random.rand(batch, height, width, 3)})
            assert values.shape == (batch, height, width, 2)
