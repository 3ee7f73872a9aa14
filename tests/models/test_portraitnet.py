import pytest
import tensorflow as tf

from mmnet import models


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
