import numpy as np
import pytest
from tensorflow_lite_support.metadata import schema_py_generated as schema

from mmnet.tflite import encode, flatbuffer, softmax
from tests.helpers import run_here
from tests.tflite.helpers import SCALE, head_only, quantized_layer


def test_files_are_aligned_and_their_operators_can_be_parted():
    content = encode.encode(head_only('lut'), 'int8', 'description', 'uint8')
    assert content[4:8] == b'TFL3'
    parts = flatbuffer.single_operators(content)
    assert [kind for kind, _ in parts] == ['QUANTIZE', 'QUANTIZE', 'CAST', 'GATHER_ND']
    table = softmax.alpha_table(SCALE, 128).tobytes()
    assert content.index(table) % 16 == 0
    pairs = np.random.RandomState(0).randint(0, 256, [1, 256, 256, 2])
    np.testing.assert_array_equal(
        run_here(parts[3][1], pairs)[0, :, :, 0],
        softmax.alpha_table(SCALE, 128)[pairs[0, :, :, 0], pairs[0, :, :, 1]])


def test_input_and_output_have_names():
    content = encode.encode(head_only('lut'), 'int8', '', 'uint8')
    model = schema.Model.GetRootAsModel(content, 0)
    signature = model.SignatureDefs(0)
    assert signature.Key() == b'serving_default'
    graph = model.Subgraphs(0)
    assert (signature.Inputs(0).Name(), signature.Inputs(0).TensorIndex()) == (
        b'image', graph.Inputs(0))
    assert (signature.Outputs(0).Name(), signature.Outputs(0).TensorIndex()) == (
        b'alpha', graph.Outputs(0))


@pytest.mark.parametrize('precision', ['uint8', 'int8'])
@pytest.mark.parametrize('kind', ['CONV_2D', 'DEPTHWISE_CONV_2D'])
def test_convolutions_are_read_as_real_numbers(kind, precision):
    layer = quantized_layer(kind)
    (weights, bias), = flatbuffer.convolutions(encode.encode_layer(layer, precision))
    # Half a step of 254 from -1 to 1; a step of the bias is much finer.
    np.testing.assert_allclose(weights, layer.weights, atol=0.501 / 127)
    np.testing.assert_allclose(bias, layer.bias, atol=1e-3)


def test_floats_go_in_and_out_of_8_bits():
    network = head_only('logistic')
    content = encode.encode(network, 'int8', '', 'float32')
    assert flatbuffer.operator_counts(content) == {'QUANTIZE': 1, 'LOGISTIC': 1, 'DEQUANTIZE': 1,
                                                   'MUL': 1}
    logits = np.linspace(-6, 6, 256, dtype=np.float32).reshape([1, 16, 16, 1])
    alphas = run_here(content, logits)
    np.testing.assert_allclose(alphas, 1 / (1 + np.exp(-logits)), atol=0.02)
    # LOGISTIC ends at 255/256, but a person is opaque.
    bytes_of = encode.encode(network, 'int8', '', 'uint8')
    grid = np.arange(256, dtype=np.uint8).reshape([1, 16, 16, 1])
    assert alphas.min() >= 0 and alphas.max() <= 1
    np.testing.assert_allclose(alphas.max(), run_here(bytes_of, grid).max() / 255, atol=1e-6)
