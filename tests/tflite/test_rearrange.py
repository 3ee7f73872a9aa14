import numpy as np
import pytest
import tensorflow as tf

from mmnet import models
from mmnet.tflite import rearrange
from mmnet.tflite.layers import Layer, LayerGraph, Value
from tests.tflite.helpers import traced


def test_rearranging_changes_layers_where_it_should():
    images = tf.placeholder(tf.float32, [1, 64, 64, 3])
    logits, _ = models.build('mmnet', images, False)
    with tf.Session() as session:
        network = traced(logits, images, session)
    before = [layer.kind for layer in network.layers]
    after = [layer.kind for layer in rearrange.rearrange(network).layers]
    # Three blocks keep their split, behind the strided convolution. Decoder 2's concatenation is
    # read by all branches of the block behind it.
    assert (before.count('SPLIT'), after.count('SPLIT')) == (12, 3)
    assert (before.count('CONCATENATION'), after.count('CONCATENATION')) == (14, 1)
    # Two convolutions became one, before that one was parted for its three branches.
    names = [value.name for layer in rearrange.rearrange(network).layers
             for value in layer.outputs]
    assert not [name for name in names if name.startswith('MMNet/enhancement_2/merge')]


@pytest.mark.parametrize('channels, activation, merged', [
    (8, 'NONE', True), (2, 'NONE', False), (8, 'RELU6', False)])
def test_two_convolutions_become_one_where_that_is_linear_and_less_work(channels, activation,
                                                                        merged):
    """From 16 to 4 channels take 64 products a pixel; by way of 8, 160; by way of 2, 40."""
    rng = np.random.RandomState(0)
    image, between, target = (Value(name, [1, 4, 4, count]) for name, count in (
        ('image', 16), ('between', channels), ('target', 4)))
    first, second = layers = [
        Layer('CONV_2D', [source], [result], rng.rand(1, 1, source.shape[3], result.shape[3]))
        for source, result in ((image, between), (between, target))]
    first.bias, second.bias = rng.rand(channels), rng.rand(4)
    first.activation, second.activation = activation, 'RELU'
    found = rearrange.merge_linear_layers(LayerGraph(image, target, layers)).layers
    assert len(found) == (1 if merged else 2)
    if merged:
        pixel = rng.rand(16)
        inner = pixel.dot(first.weights[0, 0]) + first.bias
        np.testing.assert_allclose(pixel.dot(found[0].weights[0, 0]) + found[0].bias,
                                   inner.dot(second.weights[0, 0]) + second.bias)
        assert found[0].activation == 'RELU'
