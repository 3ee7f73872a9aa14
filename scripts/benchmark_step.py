#!/usr/bin/env python
"""Times a training step of MMNet against the authors' formulation of the same network.

The authors' formulation, kept here alone: a convolution a branch, decoder 3's sixteen channels
upsampled before the final convolution, unfused batch norm, TensorFlow's own gradients.
Both run in turn in one process, so that the printed ratio holds on a noisy machine.
"""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import losses, models
from mmnet.models import layers
from mmnet.models import mmnet as paper


def authors_mmnet(images: tf.Tensor, is_training: bool):
    """MMNet-1.0 as first released."""
    batch_norm = {'is_training': is_training, 'decay': 0.999, 'epsilon': 1e-3, 'scale': True,
                  'fused': False}
    end_points = {}
    with tf.variable_scope('MMNet'), slim.arg_scope(
            [slim.conv2d, slim.separable_conv2d], normalizer_fn=slim.batch_norm,
            normalizer_params=batch_norm, activation_fn=tf.nn.relu6,
            weights_initializer=slim.xavier_initializer()):
        net = images
        for row in paper.TABLE:
            with tf.variable_scope(row.name):
                if isinstance(row, paper.Conv):
                    net = slim.conv2d(net, row.channels, row.kernel, stride=row.stride)
                    if row.name == 'decoder_3':
                        net = layers.upsample(layers.upsample(net))
                elif isinstance(row, paper.Encoder):
                    branches = []
                    for rate in row.rates:
                        branch = slim.conv2d(net, row.branch_channels, 1)
                        if row.stride > 1:
                            branch = layers.depthwise_conv(branch, stride=row.stride)
                        branches.append(layers.depthwise_conv(branch, rate=rate))
                    last = row.name == 'encoder_10'
                    net = slim.conv2d(tf.concat(branches, axis=3), row.channels, 1,
                                      activation_fn=tf.nn.relu6 if last else None)
                elif isinstance(row, paper.Decoder):
                    skip = layers.depthwise_conv(end_points[row.skip])
                    skip = slim.conv2d(skip, row.channels, 1)
                    net = tf.concat(
                        [layers.upsample(slim.conv2d(net, row.channels, 1)), skip], axis=3)
                else:
                    net = layers.logits_conv(net, 'logits')
            end_points[row.name] = net
        aux_logits = layers.logits_conv(end_points['encoder_10'], 'aux')
    return net, {'aux_logits': aux_logits}
