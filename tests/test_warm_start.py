"""Which weights of a checkpoint a network starts from."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import checkpoints, flags, warm_start
from mmnet.errors import UserError
from mmnet.graph import FROZEN


def save(path, values):
    """Writes a checkpoint of variables by name; returns its path."""
    with tf.Graph().as_default(), tf.Session() as session:
        variables = [tf.get_variable(name, initializer=np.float32(value))
                     for name, value in values.items()]
        session.run(tf.global_variables_initializer())
        return tf.train.Saver(variables).save(session, str(path), write_meta_graph=False)


def model_variable(name, shape):
    return tf.get_variable(name, shape, initializer=tf.ones_initializer(), collections=[
        tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES])


def initialized(variables):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(variables)


def test_averages_come_first_and_a_frozen_copy_starts_alike(tmp_path, capsys):
    checkpoint = save(tmp_path / 'other', {
        'a': [1, 2], 'a' + checkpoints.AVERAGE: [3, 4], 'b': [5, 6, 7], 'global_step': 8})
    names = ('a', FROZEN + '/a', 'b', 'c')
    variables = {name: model_variable(name, [2]) for name in names}
    warm_start.restore_matching(checkpoint)
    values = initialized(variables)
    np.testing.assert_array_equal(values['a'], [3, 4])
    np.testing.assert_array_equal(values[FROZEN + '/a'], [3, 4])
    # What has another shape or is missing keeps its own initializer.
    np.testing.assert_array_equal(values['b'], [1, 1])
    np.testing.assert_array_equal(values['c'], [1, 1])
    out = capsys.readouterr().out
    assert f'restored 2 of 4 variables from {checkpoint}' in out
    assert 'not restored: b has shape [3] there' in out
    assert 'not restored: c is not there' in out


def test_weights_for_the_memory_begin_at_zero(tmp_path):
    weights = np.random.RandomState(0).normal(size=[3, 3, 3, 2]).astype(np.float32)
    checkpoint = save(tmp_path / 'plain', {'first/weights': weights, 'bias': [2, 3]})
    wide, bias = model_variable('first/weights', [3, 3, 4, 2]), model_variable('bias', [2])
    warm_start.restore_matching(checkpoint)
    value, = initialized([wide])
    np.testing.assert_array_equal(value[:, :, :3], weights)
    assert not value[:, :, 3].any()
    assert initialized([bias])[0].tolist() == [2, 3]


@pytest.mark.parametrize('name, named', [('other', 'none of its 1 variables.*--model'),
                                         ('missing', 'cannot be read as a checkpoint')])
def test_a_start_that_fits_nothing_is_found_before_photos_are_read(tmp_path, name, named):
    save(tmp_path / 'other', {'a': [1]})
    settings = flags.to_hparams(flags.train_parser().parse_args(
        ['--dataset_path', 'data', '--train_dir', 'run', '--image_size', '32',
         '--init_checkpoint', str(tmp_path / name)]))
    with pytest.raises(UserError, match=named):
        warm_start.check_start(settings)


def test_a_damaged_start_is_found_before_photos_are_read(tmp_path):
    settings = flags.to_hparams(flags.train_parser().parse_args(
        ['--dataset_path', 'data', '--train_dir', 'run', '--image_size', '32',
         '--init_checkpoint', str(tmp_path)]))
    with tf.Graph().as_default(), tf.Session() as session:
        weights = tf.get_variable('MMNet/initial/weights', [3, 3, 3, 32])
        session.run(tf.global_variables_initializer())
        tf.train.Saver([weights]).save(session, str(tmp_path / 'model.ckpt'), 1)
    warm_start.check_start(settings)
    data, = tmp_path.glob('*.data-*')
    data.write_bytes(data.read_bytes()[:-9])
    with pytest.raises(UserError, match='model.ckpt-1: is damaged'):
        warm_start.check_start(settings)
