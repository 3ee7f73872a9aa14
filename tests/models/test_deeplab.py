import pytest
import tensorflow as tf

from mmnet import models
from tests.tflite.helpers import traced


@pytest.mark.parametrize('output_stride', [8, 16])
@pytest.mark.parametrize('width, parameters',
                         [(0.35, 453730), (0.5, 712882), (0.75, 1327282), (1.0, 2141762)])
def test_deeplab_parameters(width, parameters, output_stride):
    assert models.count_parameters('deeplab', 128, width_multiplier=width,
                                   output_stride=output_stride) == parameters


@pytest.mark.parametrize('output_stride, size', [(8, 16), (16, 8)])
def test_deeplab_keeps_its_output_stride(output_stride, size):
    images = tf.placeholder(tf.float32, [2, 128, 128, 3])
    logits, end_points = models.build('deeplab', images, True, output_stride=output_stride)
    assert logits.shape.as_list() == [2, 128, 128, 2]
    assert end_points['expanded_conv_16'].shape.as_list() == [2, size, size, 320]
    assert 'aux_logits' not in end_points


@pytest.mark.parametrize('output_stride, rates', [(8, {1, 2, 4}), (16, {1, 2})])
def test_strides_that_are_left_out_become_dilation_rates(output_stride, rates):
    images = tf.placeholder(tf.float32, [1, 64, 64, 3])
    logits, _ = models.build('deeplab', images, False, output_stride=output_stride)
    with tf.Session() as session:
        layers = traced(logits, images, session).layers
    assert {layer.dilation for layer in layers} == rates
