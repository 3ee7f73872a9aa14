import tensorflow as tf

from mmnet import models
from mmnet.tflite import rearrange
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
