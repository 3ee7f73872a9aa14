"""Layers: who writes and reads a value, and convolutions that are split."""

import numpy as np
import pytest

from mmnet.tflite.layers import Layer, LayerGraph, Range, Value, split_conv


def test_a_graph_knows_writers_and_readers():
    image, wide, alpha = (Value(name, [1, 4, 4, 3]) for name in ('image', 'wide', 'alpha'))
    first, second = Layer('CONV_2D', [image], [wide]), Layer('LOGISTIC', [wide], [alpha])
    network = LayerGraph(image, alpha, [first, second])
    assert network.producer(alpha) is second and network.consumers(wide) == [second]
    assert network.consumers(alpha) == [] and first.output is wide
    with pytest.raises(ValueError):
        Layer('SPLIT', [wide], [image, alpha]).output


@pytest.mark.parametrize('kind', ['CONV_2D', 'DEPTHWISE_CONV_2D'])
def test_the_parts_of_a_convolution_make_the_whole(kind):
    rng = np.random.RandomState(0)
    source, target = Value('source', [1, 4, 4, 6]), Value('target', [1, 4, 4, 6])
    shape = [3, 3, 6, 6] if kind == 'CONV_2D' else [3, 3, 6, 1]
    layer = Layer(kind, [source], [target], rng.rand(*shape), [Range(-1.0, 1.0, 8)], 2, 1)
    layer.bias, layer.activation = rng.rand(6), 'RELU6'
    parts = split_conv(layer, [Value(name, [1, 4, 4, 2]) for name in 'abc'])
    axis = 3 if kind == 'CONV_2D' else 2
    np.testing.assert_array_equal(np.concatenate([p.weights for p in parts], axis), layer.weights)
    np.testing.assert_array_equal(np.concatenate([p.bias for p in parts]), layer.bias)
    for part in parts:
        assert (part.kind, part.stride, part.activation) == (kind, 2, 'RELU6')
        assert part.weight_ranges == layer.weight_ranges and part.inputs == [source]
