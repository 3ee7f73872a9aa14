"""The authors' formulation is the same network as ours."""

import tensorflow as tf

from mmnet import models
from mmnet.models.authors import authors_network


def test_it_has_our_parameters_and_shapes():
    images = tf.placeholder(tf.float32, [1, 64, 64, 3])
    logits, aux_logits = authors_network(images, is_training=False)
    # It upsamples only the features in front of the logits.
    assert logits.shape.as_list() == [1, 64, 64, 2]
    assert aux_logits.shape.as_list() == [1, 4, 4, 2]
    assert models.graph_parameters() == models.count_parameters('mmnet', 64) == 199420
