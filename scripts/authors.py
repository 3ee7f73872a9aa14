"""MMNet as its authors first wrote it: what the benchmarks compare with, and used for nothing else.

A convolution a branch, decoder 3's sixteen channels upsampled before the final convolution, unfused
batch norm in training.
"""

from typing import Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers, mmnet as paper


def authors_network(images: tf.Tensor, is_training: bool) -> Tuple[tf.Tensor, tf.Tensor]:
    """MMNet-1.0 as first released: logits and auxiliary logits."""
    batch_norm = {'is_training': is_training, 'decay': 0.999, 'epsilon': 1e-3, 'scale': True,
                  'fused': not is_training}
    end_points = {}
    with slim.arg_scope([slim.conv2d, slim.separable_conv2d], normalizer_fn=slim.batch_norm,
                        normalizer_params=batch_norm, activation_fn=tf.nn.relu6):
        net = images
        for row in paper.TABLE:
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
                activation_fn = tf.nn.relu6 if row.name == 'encoder_10' else None
                net = slim.conv2d(tf.concat(branches, axis=3), row.channels, 1,
                                  activation_fn=activation_fn)
            elif isinstance(row, paper.Decoder):
                skip = slim.conv2d(layers.depthwise_conv(end_points[row.skip]), row.channels, 1)
                net = tf.concat([layers.upsample(slim.conv2d(net, row.channels, 1)), skip], axis=3)
            else:
                net = layers.logits_conv(net, 'logits')
            end_points[row.name] = net
        return net, layers.logits_conv(end_points['encoder_10'], 'aux')
