"""Teachers: a checkpoint and an exported file give the alphas that inference gives."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mmnet import hparams, inference, teacher
from mmnet.errors import UserError
from mmnet.tflite.export import export
from tests.tflite.helpers import checkpoint_of, run_of

RNG = np.random.RandomState(0)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    directory = tmp_path_factory.mktemp('teacher')
    run = run_of()
    hparams.write(run, str(directory))
    return checkpoint_of(run, directory), run


def taught(guide, images):
    with tf.Session() as session:
        return session.run(guide(tf.constant(images / np.float32(255), tf.float32)))


@pytest.mark.slow
def test_a_network_teaches_what_it_predicts(checkpoint):
    path, _ = checkpoint
    images = RNG.randint(0, 256, [2, 32, 32, 3]).astype(np.uint8)
    guide = teacher.load(path, '--teacher')
    expected = np.stack([inference.load(path, '').alpha(image) for image in images])
    assert expected.std() > 0.01
    np.testing.assert_allclose(taught(guide, images), expected, atol=1e-5)
    assert not tf.global_variables(), 'a teacher adds no variables'
    inputs = tf.constant(images / np.float32(255), tf.float32)
    assert tf.gradients(guide(inputs), inputs) == [None]


def test_alphas_grow_as_pillow_grows_pictures():
    alpha = RNG.rand(8, 6).astype(np.float32)
    expected = np.asarray(Image.fromarray(alpha).resize((25, 32), Image.BILINEAR))
    with tf.Session() as session:
        resized = session.run(teacher.resize(
            tf.constant(alpha[np.newaxis, ..., np.newaxis]), 32, 25))
    np.testing.assert_allclose(resized[0, ..., 0], expected, atol=1e-5)


@pytest.mark.slow
def test_a_teacher_of_another_size_sees_the_photo_resized(checkpoint, tmp_path):
    path, run = checkpoint
    file = tmp_path / 'model.tflite'
    file.write_bytes(export(path, run, 32, 'float32', 'logistic').content)
    # Blocks of four pixels, so that halving the photo loses nothing.
    blocks = np.random.RandomState(0).randint(0, 256, [16, 16, 3])
    small, large = (np.kron(blocks, np.ones([side, side, 1])).astype(np.uint8) for side in (2, 4))
    for each in (path, str(file)):
        expected = cv2.resize(inference.load(each, '', 'tensorflow').alpha(small), (64, 64))
        with tf.Graph().as_default():
            found, = taught(teacher.load(each, '--teacher'), large[np.newaxis])
        assert expected.std() > 0.01
        np.testing.assert_allclose(found[..., 0], expected, atol=1e-4)


def test_a_file_teaches_what_the_network_does(checkpoint, tmp_path):
    path, run = checkpoint
    file = tmp_path / 'model.tflite'
    file.write_bytes(export(path, run, 32, 'float32', 'logistic').content)
    images = RNG.randint(0, 256, [2, 32, 32, 3]).astype(np.uint8)
    with tf.Graph().as_default():
        expected = taught(teacher.load(path, '--teacher'), images)
    np.testing.assert_allclose(taught(teacher.load(str(file), '--teacher'), images), expected,
                               atol=1e-4)


def test_what_is_no_teacher_is_named(tmp_path):
    (tmp_path / 'text.tflite').write_text('no model')
    for path, said in (('nowhere', '--teacher .*no such'), ('text.tflite', 'text.tflite'),
                       ('', '--teacher .*no checkpoint')):
        with pytest.raises(UserError, match=said):
            teacher.load(str(tmp_path / path), '--teacher')
