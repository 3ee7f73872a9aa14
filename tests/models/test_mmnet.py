import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import models
from mmnet.models import layers, mmnet
from tests.helpers import count_parameters


@pytest.mark.parametrize('width, parameters',
                         [(0.5, 68996), (0.75, 127244), (1.0, 199420), (1.4, 368876)])
def test_mmnet_parameters(width, parameters):
    assert count_parameters('mmnet', 128, width_multiplier=width) == parameters


@pytest.mark.parametrize('ablation', ['dilation', 'enhancement', 'refinement'])
def test_ablations(ablation):
    parameters = count_parameters('mmnet', 64, **{ablation: False})
    # By hand: each enhancement block has a 1×1 expansion from 128+... channels; the refinement
    # blocks a depthwise and a 1×1 convolution, each with batch norm's four vectors.
    bn = 4
    branch = 40 * 3
    first = 80 * branch + branch * bn + 9 * branch + branch * bn + branch * 40 + 40 * bn
    second = 40 * branch + branch * bn + 9 * branch + branch * bn + branch * 40 + 40 * bn
    # Without enhancement decoder 3 reads 80 channels instead of 40.
    enhancement = first + second - (80 - 40) * 16
    # Without refinement the skips keep their 40 and 16 channels where 64 and 40 would come.
    refine = (9 * 40 + 40 * bn + 40 * 64 + 64 * bn) + (9 * 16 + 16 * bn + 16 * 40 + 40 * bn)
    narrower = (64 - 40) * 40 + (40 - 16) * branch
    expected = {'dilation': 0, 'enhancement': enhancement, 'refinement': refine + narrower}
    assert parameters == 199420 - expected[ablation]


def test_end_points_have_the_sizes_of_table_1():
    images = tf.placeholder(tf.float32, [None, 256, 256, 3])
    logits, end_points = models.build('mmnet', images, False)
    assert logits.shape.as_list() == [None, 256, 256, 2]
    assert end_points['aux_logits'].shape.as_list() == [None, 16, 16, 2]
    table_1 = {'initial': (128, 32), 'encoder_1': (64, 16), 'encoder_4': (64, 24),
               'encoder_5': (32, 40), 'encoder_8': (32, 40), 'encoder_9': (16, 80),
               'encoder_10': (16, 80), 'decoder_1': (32, 128), 'decoder_2': (64, 80),
               'enhancement_2': (64, 40)}
    for name, (size, channels) in table_1.items():
        assert end_points[name].shape.as_list() == [None, size, size, channels], name


@pytest.mark.parametrize('channels, width, rounded',
                         [(16, 0.5, 8), (24, 0.5, 16), (40, 0.75, 32), (24, 1.4, 32), (4, 0.5, 8)])
def test_mmnet_rounding(channels, width, rounded):
    assert mmnet.round_channels(channels, width) == rounded


@pytest.mark.parametrize('rates', [[1, 2, 4, 8], [1, 2], [4]])
def test_receptive_field_of_dilations(rates):
    """Offsets that an encoder block's output depends on, read off its gradient."""
    size, centre = 33, 16
    net = tf.constant(np.random.RandomState(0).rand(1, size, size, 4).astype(np.float32))
    with slim.arg_scope(layers.batch_norm_scope(False, 0.9, 1e-3, None,
                                                slim.xavier_initializer())):
        out = mmnet.encoder_block(net, rates, 1, 8, 8, None, 'block')
    gradient, = tf.gradients(out[:, centre, centre], net)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        reached = np.abs(session.run(gradient)).sum(axis=(0, 3)) > 0
    expected = {(dy * rate, dx * rate) for rate in rates for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    assert {(y - centre, x - centre) for y, x in zip(*np.nonzero(reached))} == expected


@pytest.mark.slow
def test_no_dilation_narrows_the_receptive_field():
    def extent(**hparams):
        with tf.Graph().as_default():
            tf.set_random_seed(0)
            images = tf.constant(np.random.RandomState(0).rand(1, 256, 256, 3).astype(np.float32))
            _, end_points = models.build('mmnet', images, False, **hparams)
            gradient, = tf.gradients(end_points['encoder_4'][:, 32, 32], images)
            with tf.Session() as session:
                session.run(tf.global_variables_initializer())
                rows = np.nonzero(np.abs(session.run(gradient)).sum(axis=(0, 2, 3)))[0]
            return rows.max() - rows.min()
    # Four blocks reach 8 + 1 cells against 1 + 1 at half or a quarter of the input's size.
    assert extent() > 2 * extent(dilation=False)


def test_the_auxiliary_head_reads_encoder_10_and_no_dilation_dilates_nothing():
    _, points = models.build('mmnet', tf.zeros([1, 32, 32, 3]), False, width_multiplier=0.5,
                             dilation=False)
    assert tf.gradients(points['aux_logits'], points['encoder_10']) != [None]
    assert not [op for op in tf.get_default_graph().get_operations()
                if op.type == 'SpaceToBatchND']


def test_blocks_are_drawn_branch_by_branch():
    with slim.arg_scope(layers.batch_norm_scope(False, 0.9, 1e-3, None, tf.zeros_initializer())):
        mmnet.encoder_block(tf.zeros([1, 8, 8, 16]), [1, 2, 4, 8], 1, 100, 8, None, 'block')
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        weights = session.run('block/expand/weights:0')
    limit = np.sqrt(6 / (16 + 100))
    assert 0.98 * limit < np.abs(weights).max() <= limit
