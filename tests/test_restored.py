"""Checkpoints as predictors."""

import os

import numpy as np
import pytest
import tensorflow as tf

from mmnet import graph, hparams, losses, models, restored
from mmnet.errors import UserError
from mmnet.quantization import range_variables
from tests.tflite.helpers import checkpoint_of, lively_weights, run_of


@pytest.fixture(autouse=True)
def few_blocks(monkeypatch):
    """MMNet with a few of its blocks: a graph is built in a fraction of the time."""
    monkeypatch.setattr(models.mmnet, 'TABLE', [
        row for row in models.mmnet.TABLE if row.name in (
            'initial', 'encoder_1', 'encoder_9', 'encoder_10', 'decoder_2', 'decoder_3', 'final')])


def test_a_checkpoint_predicts_what_its_graph_does(tmp_path):
    run = run_of()
    hparams.write(run, str(tmp_path))
    path = checkpoint_of(run, tmp_path)
    image = np.random.RandomState(0).randint(0, 256, [32, 32, 3]).astype(np.uint8)
    predictor = restored.load(path, '--model')
    logits, _ = graph.build_network(tf.constant(image[np.newaxis] / np.float32(255), tf.float32),
                                    run, is_training=False)
    tf.train.init_from_checkpoint(path, {each.op.name: each for each in tf.model_variables()})
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        expected = session.run(losses.foreground_alpha(logits))[0]
    assert predictor.size == 32
    np.testing.assert_allclose(predictor.alpha(image), expected, atol=1e-5)


def test_what_is_no_checkpoint_is_named(tmp_path):
    for path in ('nowhere', ''):
        with pytest.raises(UserError, match='--model'):
            restored.load(str(tmp_path / path), '--model')


@pytest.mark.slow
def test_a_stripped_checkpoint_holds_the_average_and_nothing_else(tmp_path):
    run = run_of('--ema_decay', '0.9')
    path = str(tmp_path / 'train' / 'model.ckpt')
    os.makedirs(os.path.dirname(path))
    hparams.write(run, os.path.dirname(path))
    with tf.Graph().as_default(), tf.Session() as session:
        graph.build_network(tf.placeholder(tf.float32, [1, 32, 32, 3]), run, is_training=False)
        lively = lively_weights()
        average = tf.train.ExponentialMovingAverage(0.9)
        changed = average.apply(tf.model_variables())
        adam = tf.train.AdamOptimizer().minimize(tf.add_n([
            tf.nn.l2_loss(each) for each in tf.trainable_variables()]))
        session.run(tf.global_variables_initializer(), lively)
        session.run([adam, changed])
        session.run(adam)
        tf.train.Saver().save(session, path, 7, write_meta_graph=False)
        expected = session.run({each.op.name: average.average(each)
                                for each in tf.model_variables()})
    dest = str(tmp_path / 'published')
    restored.strip([path + '-7'], dest)
    reader = tf.train.NewCheckpointReader(os.path.join(dest, 'model.ckpt-7'))
    assert sorted(reader.get_variable_to_shape_map()) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(reader.get_tensor(name), value)
    with open(os.path.join(dest, 'checkpoint')) as file:
        assert str(tmp_path) not in file.read()
    published = hparams.read(dest)
    assert published.training.dataset_path == ('data',) and not published.training.averaged
    assert published.training.max_steps == 7
    image = np.random.RandomState(0).randint(0, 256, [32, 32, 3]).astype(np.uint8)
    np.testing.assert_array_equal(restored.load(dest, '--model').alpha(image),
                                  restored.load(path + '-7', '--model').alpha(image))
    # At half the temperature, the odds α : (1 − α) are squared.
    restored.strip([os.path.join(dest, 'model.ckpt-7')], str(tmp_path / 'cooler'), temperature=0.5)
    alpha, cooler = (restored.load(str(each), '--model').alpha(image)
                     for each in (dest, tmp_path / 'cooler'))
    assert alpha.std() > 0.01
    np.testing.assert_allclose(cooler / (1 - cooler), (alpha / (1 - alpha)) ** 2, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('flags', [(), ('--per_channel',)])
def test_a_rounded_network_at_another_temperature(tmp_path, flags):
    """Odds are squared as in floats: nothing is rounded anew."""
    run = run_of('--quantize', '--init_checkpoint', 'float', *flags)
    path = str(tmp_path / 'train' / 'model.ckpt')
    os.makedirs(os.path.dirname(path))
    hparams.write(run, os.path.dirname(path))
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        graph.build_network(tf.placeholder(tf.float32, [1, 32, 32, 3]), run, is_training=False)
        session.run(tf.global_variables_initializer())
        # At half the temperature, the last range still ends below the logits' limit.
        for variable in range_variables():
            limit = {'MMNet/final/act_quant': 1.5, 'MMNet/final/weights_quant': 100}.get(
                os.path.dirname(variable.op.name), 1)
            variable.load(limit if variable.op.name.endswith('max') else -limit, session)
        weights, = [each for each in tf.model_variables() if each.op.name == 'MMNet/final/weights']
        weights.load(200 * session.run(weights), session)
        tf.train.Saver().save(session, path, 7, write_meta_graph=False)
    restored.strip([path + '-7'], str(tmp_path / 'cooler'), temperature=0.5)
    image = np.random.RandomState(0).randint(0, 256, [32, 32, 3]).astype(np.uint8)
    alpha, cooler = (restored.load(str(each), '--model').alpha(image).astype(np.float64)
                     for each in (path + '-7', tmp_path / 'cooler'))
    assert np.unique(alpha).size > 10
    np.testing.assert_allclose(cooler / (1 - cooler), (alpha / (1 - alpha)) ** 2, rtol=1e-4)


@pytest.mark.slow
def test_a_temperature_needs_a_last_convolution(tmp_path):
    """MODNet adds a logit of zeros for the background after its last one."""
    run = run_of('--model', 'modnet')
    hparams.write(run, str(tmp_path))
    path = checkpoint_of(run, tmp_path)
    with pytest.raises(UserError, match='--temperature.*modnet'):
        restored.strip([path], str(tmp_path / 'cooler'), temperature=0.5)
    assert not (tmp_path / 'cooler').exists()


@pytest.mark.slow
def test_several_checkpoints_become_their_mean(tmp_path):
    rng, paths, values = np.random.RandomState(0), [], []
    for name, flags in (('one', ()), ('two', ()), ('other', ('--no_dilation',))):
        run = run_of(*flags)
        (tmp_path / name).mkdir()
        hparams.write(run, str(tmp_path / name))
        with tf.Graph().as_default(), tf.Session() as session:
            graph.build_network(tf.placeholder(tf.float32, [1, 32, 32, 3]), run, is_training=False)
            session.run([each.initializer for each in tf.model_variables()], {
                each.initializer.inputs[1]: rng.uniform(size=each.shape.as_list())
                for each in tf.model_variables()})
            paths.append(tf.train.Saver().save(session, str(tmp_path / name / 'model.ckpt'), 7,
                                               write_meta_graph=False))
            values.append(session.run({each.op.name: each for each in tf.model_variables()}))
    dest = str(tmp_path / 'mean')
    restored.strip(paths[:2], dest)
    reader = tf.train.NewCheckpointReader(os.path.join(dest, 'model.ckpt-7'))
    for name, value in values[0].items():
        np.testing.assert_allclose(reader.get_tensor(name), (value + values[1][name]) / 2,
                                   atol=1e-6)
    with pytest.raises(UserError, match='one/model.ckpt-7: belongs to another network than'):
        restored.strip([paths[0], paths[2]], str(tmp_path / 'none'))


def test_what_is_published_names_no_folder():
    published = restored._published(run_of(
        '--unlabelled', '/home/me/wild/', '--backgrounds', 'pairs', '/home/me/rooms',
        '--teacher', '/home/me/teacher', '--init_checkpoint', '/home/me/start'), 5)
    assert published.training.backgrounds == ('pairs', 'rooms')
    assert published.training.unlabelled == ('wild',)
    assert '/home' not in str(published.to_json())
