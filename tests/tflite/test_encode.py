"""8-bit layers: their rounding and how they are stored."""

import numpy as np
import pytest

from mmnet.tflite import check, encode, flatbuffer
from mmnet.tflite.layers import Range
from tests.tflite.helpers import quantized_layer


@pytest.mark.parametrize('precision', ['uint8', 'int8'])
@pytest.mark.parametrize('kind', ['CONV_2D', 'DEPTHWISE_CONV_2D'])
def test_an_8_bit_convolution_rounds_weights_and_output_as_numpy_does(kind, precision):
    layer = quantized_layer(kind)
    scale = 6 / 255
    stored = np.random.RandomState(1).randint(0, 256, [1, 8, 8, 3])
    weights = np.round(layer.weights * 127) / 127
    padded = np.pad(stored * scale, [(0, 0), (2, 2), (2, 2), (0, 0)])
    expected = np.zeros(layer.output.shape)
    for y in range(3):
        for x in range(3):
            patch = padded[:, 2 * y:2 * y + 8, 2 * x:2 * x + 8]
            expected += (patch.dot(weights[y, x]) if kind == 'CONV_2D'
                         else patch * weights[y, x, :, 0])
    out_scale, zero_point = encode.grid(layer.output.range)
    expected = np.clip(np.round((expected + layer.bias) / out_scale) + zero_point, 0, 255)
    found, = check.run_layer(layer, precision, [stored * scale])
    found = np.round(found / out_scale) + zero_point
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.03


@pytest.mark.parametrize('kind', ['CONV_2D', 'DEPTHWISE_CONV_2D'])
def test_every_channel_of_signed_weights_may_have_its_own_grid(kind):
    layer = quantized_layer(kind)
    layer.weights = layer.weights * 2.0 ** -np.arange(layer.output.shape[3]).reshape(
        [-1] if kind == 'CONV_2D' else [-1, 1])
    channels = layer.output.shape[3]
    layer.weight_ranges = [Range(-2.0 ** -each, 2.0 ** -each, 8, True) for each in range(channels)]
    source = np.random.RandomState(1).randint(0, 256, [1, 8, 8, 3]) * (6 / 255)
    model = flatbuffer.schema.ModelT.InitFromObj(flatbuffer.schema.Model.GetRootAsModel(
        encode.encode_layer(layer, 'int8'), 0))
    weights, = [tensor for tensor in model.subgraphs[0].tensors if b'weights' in tensor.name]
    np.testing.assert_allclose(weights.quantization.scale, 2.0 ** -np.arange(channels) / 127,
                               rtol=1e-6)
    stored = np.frombuffer(bytes(model.buffers[weights.buffer].data), np.int8).reshape(
        weights.shape)
    # Channel by channel, the whole grid is used.
    axis = 0 if kind == 'CONV_2D' else 3
    largest = abs(stored.astype(int)).max(axis=tuple(each for each in range(4) if each != axis))
    assert (largest > 100).all()
    found, = check.run_layer(layer, 'int8', [source])
    exact = quantized_layer(kind)
    padded = np.pad(source, [(0, 0), (2, 2), (2, 2), (0, 0)])
    expected = np.zeros(exact.output.shape)
    for y in range(3):
        for x in range(3):
            patch = padded[:, 2 * y:2 * y + 8, 2 * x:2 * x + 8]
            expected += (patch.dot(layer.weights[y, x]) if kind == 'CONV_2D'
                         else patch * layer.weights[y, x, :, 0])
    scale, _ = encode.grid(layer.output.range)
    expected = (expected + layer.bias).clip(layer.output.range.low, layer.output.range.high)
    # Each weight is off by half of its channel's step at most.
    assert abs(found - expected).mean() < scale
    with pytest.raises(ValueError, match='a range for each channel'):
        encode.encode_layer(layer, 'uint8')


@pytest.mark.parametrize('change, complaint', [
    (lambda layer: setattr(layer, 'weight_ranges', []), 'no quantization range'),
    (lambda layer: setattr(layer, 'weight_ranges', [Range(-1.0, 3.0, 8, True)]), 'symmetric'),
    (lambda layer: setattr(layer.output, 'range', None), 'target has no quantization range'),
    (lambda layer: setattr(layer.output, 'range', Range(0.0, 1.0, 4)), '4 bits')])
def test_layers_without_8_bit_ranges_are_refused(change, complaint):
    layer = quantized_layer('CONV_2D')
    change(layer)
    with pytest.raises(ValueError, match=complaint):
        encode.encode_layer(layer, 'uint8')


@pytest.mark.parametrize('kind, axis', [('CONV_2D', 0), ('DEPTHWISE_CONV_2D', 3)])
def test_signed_weights_have_a_scale_a_channel_and_unsigned_ones_one(kind, axis):
    layer = quantized_layer(kind)
    channels = layer.output.shape[3]
    for precision, scales, expected_axis in (('int8', channels, axis), ('uint8', 1, 0)):
        model = flatbuffer.schema.ModelT.InitFromObj(
            flatbuffer.schema.Model.GetRootAsModel(encode.encode_layer(layer, precision), 0))
        weights, = [tensor for tensor in model.subgraphs[0].tensors if b'weights' in tensor.name]
        assert len(weights.quantization.scale) == scales
        # With another axis XNNPACK would leave unsigned layers to slower kernels.
        assert weights.quantization.quantizedDimension == expected_axis


def test_weights_of_fewer_bits_keep_their_grid():
    layer = quantized_layer('CONV_2D')
    layer.weight_ranges = [Range(-1.0, 1.0, 4, True)]
    model = flatbuffer.schema.ModelT.InitFromObj(
        flatbuffer.schema.Model.GetRootAsModel(encode.encode_layer(layer, 'int8'), 0))
    weights, = [tensor for tensor in model.subgraphs[0].tensors if b'weights' in tensor.name]
    stored = model.buffers[weights.buffer].data.view(np.int8)
    assert set(stored) <= set(range(-7, 8)) and len(set(stored)) > 10
    np.testing.assert_allclose(weights.quantization.scale, 1 / 7, rtol=1e-6)
