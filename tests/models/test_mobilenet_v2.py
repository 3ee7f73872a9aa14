import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import models
from mmnet.models import layers, mobilenet_v2


def test_backbone_has_the_names_of_slim_checkpoints():
    models.build('deeplab', tf.placeholder(tf.float32, [1, 32, 32, 3]), False)
    shapes = {v.op.name: v.shape.as_list() for v in slim.get_model_variables()}
    assert shapes['MobilenetV2/Conv/weights'] == [3, 3, 3, 32]
    assert shapes['MobilenetV2/expanded_conv/depthwise/depthwise_weights'] == [3, 3, 32, 1]
    assert shapes['MobilenetV2/expanded_conv_3/depthwise/depthwise_weights'] == [3, 3, 144, 1]
    assert shapes['MobilenetV2/expanded_conv_16/project/BatchNorm/moving_variance'] == [320]


@pytest.mark.parametrize('wanted, rounded', [(32 * 0.35, 16), (24 * 0.35, 8), (16 * 0.75, 16),
                                             (96 * 0.35, 32), (320 * 1.0, 320)])
def test_mobilenet_rounding_stays_above_90_percent(wanted, rounded):
    assert mobilenet_v2.round_channels(1, wanted) == rounded


@pytest.mark.parametrize('channels, stride, kept', [(8, 1, True), (16, 1, False), (8, 2, False)])
def test_with_weights_of_zero_a_bottleneck_is_its_shortcut(channels, stride, kept):
    pixels = np.random.RandomState(0).rand(1, 6, 6, 8).astype(np.float32)
    with slim.arg_scope(layers.batch_norm_scope(False, 0.9, 1e-5, tf.nn.relu6,
                                                tf.zeros_initializer())):
        net = mobilenet_v2.bottleneck(tf.constant(pixels), 6, channels, stride, 1, 'block', True)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(net), pixels if kept else np.zeros(net.shape))
