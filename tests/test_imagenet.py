"""Imported backbones against the files they come from, as TensorFlow's converter wrote them."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

from mmnet import imagenet, models, pretrained
from mmnet.datasets import synthetic
from mmnet.errors import UserError
from mmnet.models import layers
from mmnet.models.mobilenet_v2 import mobilenet_v2
from tests.helpers import run, run_here

# The file is converted once, in one worker.
pytestmark = pytest.mark.xdist_group('imagenet')

SIZE = 64
RNG = np.random.RandomState(0)


def photos(count):
    return synthetic.draw_photos(count, SIZE)


def classifier(width, quantized=False):
    """A MobileNetV2 with random weights as a .tflite file, and its variables; takes 2x − 1."""
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [1, SIZE, SIZE, 3])
        with tf.contrib.slim.arg_scope(layers.batch_norm_scope(
                False, 0.9, 1e-3, tf.nn.relu6, tf.contrib.slim.variance_scaling_initializer())):
            net, _ = mobilenet_v2(images, width, last_convolution=True)
        norms = [each for each in tf.model_variables() if 'BatchNorm' in each.op.name]
        lowest = [-0.5 if each.op.name.endswith(('beta', 'moving_mean')) else 0.5
                  for each in norms]
        session.run(tf.global_variables_initializer(), {
            each.initial_value: RNG.uniform(low, low + 1, each.shape.as_list())
            for each, low in zip(norms, lowest)})
        converter = tf.lite.TFLiteConverter.from_session(session, [images], [net])
        if quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                [np.float32(2 / 255) * photo[np.newaxis] - 1] for photo in photos(3))
        return converter.convert(), session.run({each.op.name: each
                                                 for each in tf.model_variables()})


@pytest.fixture(autouse=True)
def converter_on_path(monkeypatch):
    folder = os.path.dirname(sys.executable)
    monkeypatch.setenv('PATH', folder + os.pathsep + os.environ['PATH'])


@pytest.fixture(scope='module')
def whole():
    os.environ['PATH'] = os.path.dirname(sys.executable) + os.pathsep + os.environ['PATH']
    return classifier(1.0)


def written(path, content):
    path.write_bytes(content)
    return str(path)


def end_points(model, images, checkpoint, is_training=False, **settings):
    """The backbone's end points, started from a checkpoint."""
    with tf.Graph().as_default(), tf.Session() as session:
        _, points = models.build(model, tf.constant(images, tf.float32), is_training, **settings)
        tf.train.init_from_checkpoint(checkpoint, {'MobilenetV2/': 'MobilenetV2/'})
        session.run(tf.global_variables_initializer())
        return session.run({name: points[name] for name in points if 'onv' in name})


@pytest.mark.slow
def test_modnet_starts_where_the_file_is(whole, tmp_path):
    path, checkpoint = written(tmp_path / 'v2.tflite', whole[0]), str(tmp_path / 'there' / 'ckpt')
    assert imagenet.write_checkpoint(imagenet.read(path), 'modnet', photos(6), checkpoint) == 1
    images = photos(6) / np.float32(255)
    expected = run_here(whole[0], 2 * images - 1)
    inference = end_points('modnet', images, checkpoint)
    np.testing.assert_allclose(inference['Conv_1'], expected, atol=2e-3)
    # The batch's own statistics are those that were measured.
    training = end_points('modnet', images, checkpoint, is_training=True)
    np.testing.assert_allclose(training['Conv_1'], expected, atol=2e-3)


@pytest.mark.slow
def test_other_networks_take_pixels_in_their_own_range(whole, tmp_path):
    convolutions = imagenet.read(written(tmp_path / 'v2.tflite', whole[0]))
    images = photos(2) / np.float32(255)
    weights, bias = convolutions[0]
    with tf.Session() as session:
        first = session.run(tf.nn.relu6(tf.nn.conv2d(2 * images - 1, weights, 2, 'SAME') + bias))
    for model in ('deeplab', 'portraitnet'):
        checkpoint = str(tmp_path / model)
        imagenet.write_checkpoint(convolutions, model, photos(2), checkpoint)
        points = end_points(model, images, checkpoint)
        # Beyond the border, zero stands for another colour than in the file.
        np.testing.assert_allclose(points['Conv'][:, 1:-1, 1:-1], first[:, 1:-1, 1:-1], atol=1e-4)
    # PortraitNet's additional convolution changes nothing.
    dws, project = convolutions[1:3]
    with tf.Session() as session:
        net = tf.nn.relu6(tf.nn.depthwise_conv2d(
            points['Conv'], dws[0], [1, 1, 1, 1], 'SAME') + dws[1])
        expected = session.run(tf.nn.conv2d(net, project[0], 1, 'SAME') + project[1])
    np.testing.assert_allclose(points['expanded_conv'], expected, atol=1e-3)


@pytest.mark.slow
def test_a_narrow_file_of_8_bits(tmp_path):
    content, variables = classifier(0.35, quantized=True)
    path, checkpoint = written(tmp_path / 'v2.tflite', content), str(tmp_path / 'ckpt')
    convolutions = imagenet.read(path)
    for layer, (weights, _) in zip(imagenet.LAYERS, convolutions):
        norm = f'MobilenetV2/{layer}/BatchNorm/'
        factor = variables[norm + 'gamma'] / np.sqrt(variables[norm + 'moving_variance'] + 1e-3)
        depthwise = layer.endswith('depthwise')
        exact = (variables[f'MobilenetV2/{layer}/{"depthwise_" * depthwise}weights'] *
                 (factor[:, np.newaxis] if depthwise else factor))
        # Each channel has 127 steps on either side of zero.
        channel = (0, 1, 3) if depthwise else (0, 1, 2)
        step = np.abs(exact).max(axis=channel, keepdims=True) / 127
        assert np.all(np.abs(weights - exact) <= 0.51 * step), layer
    assert imagenet.write_checkpoint(convolutions, 'deeplab', photos(2), checkpoint) == 0.35
    with pytest.raises(UserError, match='--model modnet: .* the file has 0.35'):
        imagenet.write_checkpoint(convolutions, 'modnet', photos(2), checkpoint)


@pytest.mark.slow
def test_the_script_makes_the_same_of_slims_variables(whole, tmp_path):
    content, variables = whole
    tflite, npz = written(tmp_path / 'v2.tflite', content), tmp_path / 'v2.npz'
    np.savez(str(npz), **{name.replace('/', '|'): array for name, array in variables.items()})
    for (weights, bias), (others, other) in zip(imagenet.read(tflite), imagenet.read(str(npz))):
        np.testing.assert_allclose(others, weights, atol=1e-5)
        np.testing.assert_allclose(other, bias, atol=1e-5)
    command = ['scripts/import_mobilenet.py', npz, tmp_path / 'ckpt', '--count', 2]
    status, out, err = run(*command)
    assert status == 0 and '--model deeplab' in out, err
    assert dict(tf.train.list_variables(str(tmp_path / 'ckpt')))['MobilenetV2/Conv/weights'] == [
        3, 3, 3, 32]
    status, _, err = run(*command)
    assert status == 1 and 'pass --force' in err and err.count('\n') == 1
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'cut.jpg').write_text('no photo')
    status, _, err = run(*command, '--force', '--photos', tmp_path / 'photos')
    assert status == 1 and 'cut.jpg' in err and 'v2.npz' not in err and 'Traceback' not in err


@pytest.mark.parametrize('name, content, message', [
    ('none.tflite', None, 'No such file'), ('text.tflite', b'not a model', 'not a .tflite file'),
    ('empty.npz', b'', 'cannot be read')])
def test_other_files_are_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        imagenet.read(str(tmp_path / name))


def test_files_that_were_cut_off_are_named(tmp_path):
    np.savez(str(tmp_path / 'whole.npz'), **{'MobilenetV2|Conv|weights': np.zeros([3, 3, 3, 32])})
    for name, path in (('cut.npz', str(tmp_path / 'whole.npz')),
                       ('cut.tflite', pretrained.find('pretrained:mmnet_dm1.0_128_float32'))):
        with open(path, 'rb') as file:
            content = file.read()
        for length in (8, 100, 2000, len(content) // 2):
            (tmp_path / name).write_bytes(content[:length])
            with pytest.raises(UserError, match=f'{name}: cannot be read as a MobileNetV2'):
                imagenet.read(str(tmp_path / name))


def test_a_smaller_network_is_named(tmp_path):
    np.savez(str(tmp_path / 'v2.npz'), **{'MobilenetV2|Conv|weights': np.zeros([3, 3, 3, 32])})
    with pytest.raises(UserError, match='v2.npz: cannot be read as a MobileNetV2'):
        imagenet.read(str(tmp_path / 'v2.npz'))
