"""Checkpoints as predictors."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import graph, hparams, losses, restored
from mmnet.errors import UserError
from tests.tflite.helpers import checkpoint_of, run_of


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
