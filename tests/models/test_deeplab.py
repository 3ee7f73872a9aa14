import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import models
from mmnet.models import deeplab, layers
from tests.helpers import count_parameters
from tests.tflite.helpers import traced


@pytest.mark.parametrize('output_stride', [8, 16])
@pytest.mark.parametrize('width, parameters',
                         [(0.35, 453730), (0.5, 712882), (0.75, 1327282), (1.0, 2141762)])
def test_deeplab_parameters(width, parameters, output_stride):
    assert count_parameters('deeplab', 128, width_multiplier=width,
                            output_stride=output_stride) == parameters


@pytest.mark.parametrize('output_stride, size', [(8, 16), (16, 8)])
def test_deeplab_keeps_its_output_stride(output_stride, size):
    images = tf.placeholder(tf.float32, [2, 128, 128, 3])
    logits, end_points = models.build('deeplab', images, True, output_stride=output_stride)
    assert logits.shape.as_list() == [2, 128, 128, 2]
    assert end_points['expanded_conv_16'].shape.as_list() == [2, size, size, 320]
    assert 'aux_logits' not in end_points


@pytest.mark.parametrize('output_stride, rates', [
    (8, [1] * 7 + [2] * 7 + [4] * 3), (16, [1] * 14 + [2] * 3)])
def test_blocks_after_a_stride_that_is_left_out_are_dilated(output_stride, rates):
    images = tf.placeholder(tf.float32, [1, 32, 32, 3])
    logits, _ = models.build('deeplab', images, False, output_stride=output_stride)
    with tf.Session() as session:
        found = traced(logits, images, session).layers
    assert [each.dilation for each in found if each.kind == 'DEPTHWISE_CONV_2D'] == rates
    assert logits.op.get_attr('align_corners')
    assert [op.name for op in tf.get_default_graph().get_operations() if op.type == 'Relu'] == [
        'image_pooling/Relu', 'aspp0/Relu', 'concat_projection/Relu']


def test_the_head_drops_a_tenth():
    with slim.arg_scope(layers.batch_norm_scope(False, 0.9, 1e-5, tf.nn.relu,
                                                tf.ones_initializer())):
        net = deeplab.head(tf.ones([8, 4, 4, 16]), is_training=True)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = session.run(net)
    assert (found == 0).mean() == pytest.approx(0.1, abs=0.02)
    assert found.max() == pytest.approx(2 * 256 * 16 / 0.9, rel=1e-3)
