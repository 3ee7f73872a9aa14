"""The registry: what `models.build` takes and refuses."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import models
from mmnet.settings import Settings, setting


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


def spec_of(build):
    return dataclasses.replace(models.NETWORKS['mmnet'], build=build, stride=lambda settings: 1)


@pytest.mark.parametrize('build, complaint', [
    (lambda images: tf.layers.conv2d(images, 2, 1, name='plain'), 'plain/kernel: is no model'),
    (lambda images: slim.conv2d(images, 1, 1), r'logits of new are \[8, 8, 1\], not \[8, 8, 2\]'),
    (lambda images: slim.conv2d(images, 2, 3, 2), r'\[4, 4, 2\], not \[8, 8, 2\]')])
def test_a_new_network_that_breaks_the_contract_is_named(build, complaint, monkeypatch):
    monkeypatch.setitem(models.NETWORKS, 'new', spec_of(lambda images, *rest: (build(images), {})))
    # Variables of somebody else's graph do not count.
    tf.get_variable('other', [3])
    with pytest.raises(ValueError, match=complaint):
        models.build('new', tf.placeholder(tf.float32, [1, 8, 8, 3]), True)


def test_two_networks_may_not_give_a_flag_two_types(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Other(Settings):
        dilation: int = setting(2, 'rate of all layers', above=0)

    spec = dataclasses.replace(models.NETWORKS['mmnet'], settings=Other)
    monkeypatch.setitem(models.NETWORKS, 'other', spec)
    with pytest.raises(ValueError, match='mmnet and other declare dilation differently'):
        models.all_settings('settings')


@pytest.mark.parametrize('name, height, width', [('mmnet', 48, 80), ('deeplab', 32, 48)])
def test_any_multiple_of_the_stride_and_any_batch(name, height, width):
    images = tf.placeholder(tf.float32, [None, height, width, 3])
    logits, _ = models.build(name, images, False)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for batch in (1, 3):
            values = session.run(logits, {images: np.random.rand(batch, height, width, 3)})
            assert values.shape == (batch, height, width, 2)
