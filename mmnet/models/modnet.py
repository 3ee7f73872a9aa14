"""MODNet (Ke et al., AAAI 2022): semantic estimation, detail prediction, semantic-detail fusion.

Each branch is a function. Channels are those of the released network. The rest follows the paper
(arXiv:2011.11961), and the release where the paper is silent.
"""

import dataclasses
from typing import Dict, Sequence, Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import layers
from mmnet.models.mobilenet_v2 import EPSILON, mobilenet_v2
from mmnet.settings import Settings, setting

STRIDE = 32
# Channels of the semantic branch at strides 16 and 8, and of the two other branches.
CHANNELS_16, CHANNELS_8, HR_CHANNELS = 96, 32, 32
# The encoder's last blocks at strides 2 and 4.
STRIDE_2, STRIDE_4 = 'expanded_conv', 'expanded_conv_2'
# Dilation rates of ASPP, which e-ASPP replaces.
RATES = (1, 6, 12, 18)


@dataclasses.dataclass(frozen=True)
class MODNetSettings(Settings):
    """The form of the semantic branch, and batch norm's decay."""
    squeeze_excitation: bool = setting(
        False, 'replaces e-ASPP by squeeze-and-excitation, as the released network does')
    batch_norm_decay: float = layers.batch_norm_decay(0.9)


def modnet(images: tf.Tensor, is_training: bool,
           settings: MODNetSettings) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Builds MODNet.

    Args:
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W are multiples of 32.
        is_training: whether batch norm uses the batch's statistics.
        settings: the form of the semantic branch.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by name. `semantic`
        `[N, H/16, W/16, 1]` is the coarse mask's logit, and `detail` `[N, H, W, 1]` the detail
        matte's. Only training uses them.
    """
    images = layers.normalize(images, mean=[0.5] * 3, scale=2.0)
    with slim.arg_scope(layers.batch_norm_scope(
            is_training, settings.batch_norm_decay, epsilon=EPSILON, activation_fn=tf.nn.relu6,
            weights_initializer=slim.variance_scaling_initializer(mode='FAN_OUT'))):
        net, end_points = mobilenet_v2(images, last_convolution=True)
        with tf.variable_scope('MODNet'):
            coarse, end_points['semantic'] = semantic_branch(net, settings.squeeze_excitation)
            detailed, end_points['detail'] = detail_branch(
                images, end_points[STRIDE_2], end_points[STRIDE_4], coarse)
            logit = fusion_branch(images, coarse, detailed)
    # With a background logit of 0, the softmax is the sigmoid of the foreground's.
    return tf.pad(logit, [[0, 0], [0, 0], [0, 0], [1, 0]]), end_points


def semantic_branch(net: tf.Tensor, squeeze_excitation: bool) -> Tuple[tf.Tensor, tf.Tensor]:
    """Finds the person, coarsely.

    Args:
        net: the backbone's last map, `[N, H/32, W/32, C]`.
        squeeze_excitation: whether the release's squeeze-and-excitation block replaces e-ASPP.

    Returns:
        the map of stride 8, `[N, H/8, W/8, 32]`, and the coarse mask's logit,
        `[N, H/16, W/16, 1]`.
    """
    with tf.variable_scope('semantic'):
        net = squeeze_excite(net) if squeeze_excitation else efficient_aspp(net)
        net = ibn_conv(layers.upsample(net), CHANNELS_16, 5, scope='conv_16')
        coarse = ibn_conv(layers.upsample(net), CHANNELS_8, 5, scope='conv_8')
        return coarse, logit_conv(coarse, 3, stride=2)


def detail_branch(images: tf.Tensor, stride_2: tf.Tensor, stride_4: tf.Tensor,
                  coarse: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Draws the boundary at high resolution.

    Args:
        images: normalized, `[N, H, W, 3]`.
        stride_2, stride_4: the encoder's maps.
        coarse: the semantic branch's map of stride 8.

    Returns:
        the map of stride 2, `[N, H/2, W/2, 32]`, and the detail matte's logit, `[N, H, W, 1]`.
    """
    with tf.variable_scope('detail'):
        half = slim.avg_pool2d(images, 2)
        quarter = slim.avg_pool2d(half, 2)
        skip = ibn_conv(stride_2, HR_CHANNELS, 1, scope='skip_2')
        net = ibn_conv(tf.concat([half, skip], axis=3), HR_CHANNELS, 3, stride=2, scope='down')
        net = tf.concat([net, ibn_conv(stride_4, HR_CHANNELS, 1, scope='skip_4')], axis=3)
        net = ibn_conv(net, 2 * HR_CHANNELS, 3, scope='conv_4')
        net = tf.concat([net, layers.upsample(coarse), quarter], axis=3)
        net = ibn_convs(net, [2 * HR_CHANNELS, 2 * HR_CHANNELS, HR_CHANNELS], 'conv_4')
        net = tf.concat([layers.upsample(net), skip], axis=3)
        net = ibn_convs(net, [2 * HR_CHANNELS] + [HR_CHANNELS] * 3, 'conv_2')
        full = tf.concat([layers.upsample(net), images], axis=3)
        return net, logit_conv(ibn_conv(full, HR_CHANNELS, 3, scope='conv_1'), 1)


def fusion_branch(images: tf.Tensor, coarse: tf.Tensor, detailed: tf.Tensor) -> tf.Tensor:
    """Fuses both branches' maps of stride 8 and 2 into the alpha's logit `[N, H, W, 1]`."""
    with tf.variable_scope('fusion'):
        net = ibn_conv(layers.upsample(coarse), HR_CHANNELS, 5, scope='conv_4')
        net = tf.concat([layers.upsample(net), detailed], axis=3)
        net = ibn_conv(net, HR_CHANNELS, 3, scope='conv_2')
        net = tf.concat([layers.upsample(net), images], axis=3)
        return logit_conv(ibn_conv(net, HR_CHANNELS // 2, 3, scope='conv_1'), 1)


def efficient_aspp(net: tf.Tensor) -> tf.Tensor:
    """Builds e-ASPP, which fuses scales channel by channel, and channels only once.

    A 1×1 convolution keeps a quarter of the channels. Each dilation rate has a depthwise
    convolution; their sum has a weight for each rate and channel. Two 1×1 convolutions mix the
    channels and restore their number.
    """
    channels = net.shape[3].value
    with tf.variable_scope('e_aspp'):
        net = slim.conv2d(net, channels // 4, 1, scope='reduce')
        scales = [layers.depthwise_conv(net, rate=rate, scope=f'rate_{rate}') for rate in RATES]
        net = tf.add_n([
            slim.separable_conv2d(scale, None, 1, depth_multiplier=1, activation_fn=None,
                                  normalizer_fn=None, biases_initializer=None,
                                  scope=f'fuse_{rate}')
            for rate, scale in zip(RATES, scales)])
        net = slim.conv2d(net, channels // 4, 1, scope='pointwise')
        return slim.conv2d(net, channels, 1, scope='recover')


def squeeze_excite(net: tf.Tensor) -> tf.Tensor:
    """Weights the channels of `[N, H, W, C]` by a bottleneck of their means, reduction 4."""
    channels = net.shape[3].value
    with tf.variable_scope('squeeze_excite'), slim.arg_scope(
            [slim.conv2d], normalizer_fn=None, biases_initializer=None):
        weights = tf.reduce_mean(net, axis=[1, 2], keepdims=True)
        weights = slim.conv2d(weights, channels // 4, 1, activation_fn=tf.nn.relu, scope='squeeze')
        weights = slim.conv2d(weights, channels, 1, activation_fn=tf.sigmoid, scope='excite')
        return net * weights


def ibn_conv(net: tf.Tensor, channels: int, kernel: int, scope: str, stride: int = 1) -> tf.Tensor:
    """Applies a convolution with bias; half the channels get batch norm, half instance norm.

    ReLU follows: `[N, H/stride, W/stride, channels]`.
    """
    with tf.variable_scope(scope):
        net = layers.linear_conv(net, channels, kernel, stride, scope='conv')
        batch, instance = tf.split(net, 2, axis=3)
        return tf.concat([tf.nn.relu(slim.batch_norm(batch)),
                          tf.nn.relu(layers.instance_norm(instance))], axis=3)


def ibn_convs(net: tf.Tensor, channels: Sequence[int], scope: str) -> tf.Tensor:
    """Applies 3×3 `ibn_conv`s one after another, named `<scope>_1`, `<scope>_2` and so on."""
    for index, each in enumerate(channels, start=1):
        net = ibn_conv(net, each, 3, scope=f'{scope}_{index}')
    return net


def logit_conv(net: tf.Tensor, kernel: int, stride: int = 1) -> tf.Tensor:
    """Applies a convolution with bias: one logit per pixel."""
    return layers.linear_conv(net, 1, kernel, stride, scope='logit')
