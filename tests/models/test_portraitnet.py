import numpy as np
import pytest
import tensorflow as tf

from mmnet import models
from tests.helpers import value


@pytest.mark.parametrize('boundary_head, parameters', [(True, 2080904), (False, 2080760)])
def test_parameters(boundary_head, parameters):
    images = tf.placeholder(tf.float32, [1, 224, 224, 3])
    logits, end_points = models.build('portraitnet', images, True, boundary_head=boundary_head)
    assert sum(v.shape.num_elements() for v in tf.trainable_variables()) == parameters
    assert logits.shape.as_list() == [1, 224, 224, 2]
    assert ('aux_logits' in end_points) == boundary_head
    sizes = {'expanded_conv_16': (7, 320), 'up_1': (14, 96), 'up_2': (28, 32), 'up_3': (56, 24),
             'up_4': (112, 16), 'up_5': (224, 8)}
    for name, (size, channels) in sizes.items():
        assert end_points[name].shape.as_list() == [1, size, size, channels], name


def test_portraitnet_adds_the_encoder_s_last_maps():
    _, points = models.build('portraitnet', tf.zeros([1, 32, 32, 3]), False)
    # The encoder goes on from the next block; without it, only the sum reads the map.
    for up, block in (('up_1', 12), ('up_2', 5), ('up_3', 2)):
        skip, following = (points[f'expanded_conv_{number}'] for number in (block, block + 1))
        slope, = tf.gradients(points[up], skip, stop_gradients=[following])
        np.testing.assert_array_equal(value(slope), np.ones(points[up].shape))
