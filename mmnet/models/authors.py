"""MMNet as its authors first wrote it, the baseline that the benchmarks compare with.

Each branch is a convolution of its own, decoder 3 upsamples sixteen channels, and batch norm is
not fused in training. Nothing else uses this file.
"""

from typing import Dict, Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers, mmnet


def authors_network(images: tf.Tensor, is_training: bool) -> Tuple[tf.Tensor, tf.Tensor]:
    """Builds MMNet-1.0 as first released.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`.
        is_training: whether batch norm uses the batch's statistics.

    Returns:
        logits `[N, H, W, 2]` and auxiliary logits `[N, H/16, W/16, 2]`.
    """
    batch_norm = {'is_training': is_training, 'decay': 0.999, 'epsilon': 1e-3, 'scale': True,
                  'fused': not is_training}
    end_points: Dict[str, tf.Tensor] = {}

    def encoder_block(net: tf.Tensor, row, stride: int, activation_fn=None) -> tf.Tensor:
        branches = []
        for rate in row.rates:
            branch = slim.conv2d(net, row.branch_channels, 1)
            if stride > 1:
                branch = layers.depthwise_conv(branch, stride=stride)
            branches.append(layers.depthwise_conv(branch, rate=rate))
        return slim.conv2d(tf.concat(branches, axis=3), row.channels, 1,
                           activation_fn=activation_fn)

    with slim.arg_scope([slim.conv2d, slim.separable_conv2d], normalizer_fn=slim.batch_norm,
                        normalizer_params=batch_norm, activation_fn=tf.nn.relu6):
        net = images
        for row in mmnet.TABLE:
            if isinstance(row, mmnet.Conv):
                net = slim.conv2d(net, row.channels, row.kernel, stride=row.stride)
                if row.name == 'decoder_3':
                    net = layers.upsample(layers.upsample(net))
            elif isinstance(row, mmnet.Encoder):
                net = encoder_block(net, row, row.stride, row.activation_fn)
            elif isinstance(row, mmnet.Enhancement):
                net = encoder_block(net, row, stride=1)
            elif isinstance(row, mmnet.Decoder):
                skip = slim.conv2d(layers.depthwise_conv(end_points[row.skip]), row.channels, 1)
                net = tf.concat([layers.upsample(slim.conv2d(net, row.channels, 1)), skip], axis=3)
            else:
                net = layers.logits_conv(net, 'logits')
            end_points[row.name] = net
        return net, layers.logits_conv(end_points['encoder_10'], 'aux')
