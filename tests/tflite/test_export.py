"""From a checkpoint to a file; tests/end_to_end exports trained networks."""

import json

import pytest
import tensorflow as tf

from mmnet import checkpoints, graph
from mmnet.errors import UserError
from mmnet.tflite import flatbuffer, metadata
from mmnet.tflite.export import check_exportable, export
from tests.tflite.helpers import checkpoint_of, run_of


@pytest.mark.parametrize('args, precision, head, said', [
    ([], 'float32', 'lut', '--softmax lut'), ([], 'int8', 'logistic', '--quantize'),
    (['--quantize', '--activation_bits', '4'], 'uint8', 'lut', '--activation_bits 4')])
def test_what_cannot_be_exported_is_refused(args, precision, head, said):
    check_exportable(run_of(), 'float32', 'logistic')
    with pytest.raises(UserError, match=said):
        check_exportable(run_of(*args), precision, head)
    with pytest.raises(UserError, match='--io uint8'):
        check_exportable(run_of(), 'float32', 'logistic', 'uint8')


def test_a_file_has_the_size_that_was_asked_for(tmp_path):
    run = run_of()
    checkpoint = checkpoint_of(run, tmp_path)
    exported = export(checkpoint, run, 48, 'float32', 'builtin')
    assert exported.precision == 'float32' and exported.images.shape.as_list() == [1, 48, 48, 3]
    assert flatbuffer.operator_counts(exported.content)['SOFTMAX'] == 1
    assert '48×48' in json.loads(metadata.read(exported.content))['description']
    with pytest.raises(UserError, match='--image_size 40.*32 or 48'):
        export(checkpoint, run, 40, 'float32', 'logistic')


def test_the_average_is_what_is_exported(small_mmnet, tmp_path):
    run = run_of('--ema_decay', '0.9')
    with tf.Graph().as_default():
        graph.build_network(tf.zeros([1, 32, 32, 3]), run, is_training=False)
        shapes = {each.op.name: each.shape.as_list() for each in tf.model_variables()}
    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape in shapes.items():
            tf.get_variable(name, shape, initializer=tf.ones_initializer())
            tf.get_variable(name + checkpoints.AVERAGE, shape,
                            initializer=tf.constant_initializer(2))
        session.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), 7)
    exported = export(path, run, 32, 'float32', 'logistic')
    for found in exported.session.run([name + ':0' for name in shapes]):
        assert (found == 2).all()
