"""The authors' formulation is the same network as ours."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import models
from mmnet.models.authors import authors_network
from tests.helpers import count_parameters

PIXELS = np.random.RandomState(0).rand(1, 64, 64, 3).astype(np.float32)


def test_it_has_our_parameters_and_shapes():
    images = tf.placeholder(tf.float32, [1, 64, 64, 3])
    logits, aux_logits = authors_network(images, is_training=False)
    # It upsamples only the features in front of the logits.
    assert logits.shape.as_list() == [1, 64, 64, 2]
    assert aux_logits.shape.as_list() == [1, 4, 4, 2]
    assert models.graph_parameters() == count_parameters('mmnet', 64) == 199420


def averaging(network):
    """The outputs where every layer averages, so that names and order of channels do not count."""
    with tf.Graph().as_default(), tf.Session() as session:
        outputs = network(tf.constant(PIXELS))
        session.run(tf.global_variables_initializer(), {
            each.initial_value: np.full(each.shape, 1 / np.prod(each.shape.as_list()[
                :2 if each.op.name.endswith('depthwise_weights') else 3]))
            for each in tf.trainable_variables() if each.op.name.endswith('weights')})
        return session.run(outputs)


def ours(images):
    logits, points = models.build('mmnet', images, is_training=False)
    return logits, points['aux_logits']


@pytest.mark.slow
def test_it_computes_what_our_formulation_does():
    found = averaging(lambda images: authors_network(images, is_training=False))
    for one, other in zip(found, averaging(ours)):
        assert other.std() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-4)
