"""The graph of a run: objective, weight decay, the frozen copy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import flags, graph, losses, previous_frame
from tests.helpers import constants, value


def test_pixels_as_floats_are_in_the_unit_range():
    with tf.Session() as session:
        floats = session.run(graph.as_float(tf.constant([0, 51, 255], tf.uint8)))
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, [0, 0.2, 1], atol=1e-6)


def settings(*args):
    return flags.to_hparams(flags.train_parser().parse_args(
        ['--dataset_path', 'data', '--train_dir', 'run', '--image_size', '32', *args]))


def test_the_objective_includes_weight_decay():
    pixels = np.random.RandomState(0).rand(2, 32, 32, 4).astype(np.float32)
    batch = losses.Batch(tf.constant(pixels[..., :3]), tf.constant(pixels[..., 3:]))
    objective = graph.build_objective(
        batch, settings('--width_multiplier', '0.5', '--weight_decay', '0.1'), is_training=True)
    assert objective.logits.shape.as_list() == [2, 32, 32, 2]
    weights = [v for v in tf.trainable_variables() if v.op.name.endswith('/weights')]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        total, terms, values = session.run([objective.total, objective.terms, weights])
    decay = 0.1 / 2 * sum((value ** 2).sum() for value in values)
    assert total == pytest.approx(sum(terms.values()) + decay, rel=1e-4)


@pytest.mark.parametrize('model', ['mmnet', 'deeplab', 'portraitnet'])
def test_a_teacher_explains_photos_without_masks(model):
    pixels = np.random.RandomState(0).rand(2, 32, 32, 4).astype(np.float32)
    others = np.random.RandomState(1).rand(3, 32, 32, 3).astype(np.float32)
    batch = losses.Batch(tf.constant(pixels[..., :3]), tf.constant(pixels[..., 3:]),
                         unlabelled=tf.constant(others))
    taught = []

    def guide(images):
        taught.append(images)
        return tf.fill([5, 32, 32, 1], 0.25)
    flags_of = ['--model', model, '--weight_decay', '0', '--teacher', 'x', '--teacher_weight', '2']
    objective = graph.build_objective(batch, settings(*flags_of), is_training=True, teacher=guide)
    assert objective.logits.shape.as_list() == [2, 32, 32, 2]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        total, terms, images = session.run([objective.total, objective.terms, taught[0]])
    np.testing.assert_array_equal(images, np.concatenate([pixels[..., :3], others]))
    distillation = terms.pop('distillation')
    weights = {'boundary': 0.3}
    assert total == pytest.approx(
        sum(weights.get(name, 1) * term for name, term in terms.items()) + 2 * distillation,
        rel=1e-4)


def test_self_supervision_has_a_frozen_copy_that_is_not_trained():

    modnet = settings('--model', 'modnet')
    modnet = dataclasses.replace(modnet, training=dataclasses.replace(modnet.training, soc=True))
    images = tf.constant(np.random.RandomState(0).rand(1, 32, 32, 3).astype(np.float32))
    objective = graph.build_objective(losses.Batch(images, None), modnet, is_training=True)
    assert set(objective.terms) == {'semantic_consistency', 'detail_consistency', 'detail_kept'}
    trained = {variable.op.name for variable in tf.trainable_variables()}
    every = {variable.op.name for variable in tf.model_variables()}
    assert not [name for name in trained if name.startswith(graph.FROZEN)]
    assert {graph.FROZEN + '/' + name for name in trained} <= every
    assert not tf.get_collection(tf.GraphKeys.UPDATE_OPS), 'statistics of norms stay'


@pytest.mark.parametrize('is_training', [True, False])
def test_only_training_updates_the_statistics_of_norms(small_mmnet, is_training):
    batch = losses.Batch(tf.zeros([2, 32, 32, 3]), tf.zeros([2, 32, 32, 1]))
    graph.build_objective(batch, settings('--width_multiplier', '0.5'), is_training)
    moving = [each for each in tf.model_variables() if 'moving_' in each.op.name]
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert len(moving) > 20 and len(updates) == (len(moving) if is_training else 0)


def test_the_pasts_that_a_network_is_given(monkeypatch):
    monkeypatch.setattr(previous_frame, 'mix_in_own_alphas',
                        lambda alpha, images, previous: 0.5 * previous)
    taken = []

    def network(images, hparams, is_training):
        taken.append(images)
        with tf.variable_scope('toy', reuse=tf.AUTO_REUSE):
            return slim.conv2d(images, 2, 1, scope='conv'), {}
    monkeypatch.setattr(graph, 'build_network', network)
    images, alphas, pasts = np.random.RandomState(0).rand(3, 2, 32, 32, 1).astype(np.float32)
    batch = losses.Batch(*constants(np.tile(images, [1, 1, 1, 3]), alphas),
                         previous=tf.constant(pasts))
    for is_training, expected in ((True, 0.5 * pasts), (False, pasts)):
        graph.build_objective(batch, settings('--previous_alpha'), is_training)
        np.testing.assert_array_equal(value(taken[-1]),
                                      np.concatenate([images] * 3 + [expected], 3))


def test_an_unsure_teacher_says_nothing(small_mmnet):
    batch = losses.Batch(tf.zeros([2, 32, 32, 3]), tf.zeros([2, 32, 32, 1]))
    found = graph.build_objective(
        batch, settings('--width_multiplier', '0.5', '--teacher', 'x', '--teacher_confidence',
                        '0.6'), True, teacher=lambda images: tf.fill([2, 32, 32, 1], 0.25))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(found.terms['distillation']) == 0
