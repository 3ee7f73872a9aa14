"""Layers, files and what both runtimes make of them."""

import json
import os
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from tensorflow.contrib import slim

from mmnet import losses, models
from mmnet.errors import UserError
from mmnet.models import layers as network_layers
from mmnet.tflite import check, encode, flatbuffer, metadata, rearrange, softmax, trace
from mmnet.tflite.interpreter import Interpreter
from mmnet.tflite.layers import Layer, Network, Range, Value
from tests.conftest import ROOT

LITERT = os.path.join(ROOT, '.venv-litert', 'bin', 'python')


def run_in_litert(paths, inputs, scratch, resolver='default'):
    """The outputs of files in LiteRT, as real numbers."""
    source, target = str(scratch / 'in.npz'), str(scratch / 'out.npz')
    np.savez(source, inputs=inputs)
    worker = os.path.join(ROOT, 'tests', 'litert_worker.py')
    subprocess.run([LITERT, worker, source, target, resolver] + [str(path) for path in paths],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    outputs = np.load(target)
    return [outputs[str(index)] for index in range(len(paths))]


def run_here(content, inputs):
    """The outputs of a file in TensorFlow 1.15's interpreter, as they are stored."""
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    details, = interpreter.get_input_details()
    result, = interpreter.get_output_details()
    rows = []
    for row in inputs:
        interpreter.set_tensor(details['index'], row[np.newaxis].astype(details['dtype']))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(result['index'])[0])
    return np.stack(rows)


def traced(logits, images, session):
    """The layers of a network with random batch norm."""
    rng = np.random.RandomState(0)
    session.run(tf.global_variables_initializer(), {
        variable.initial_value: rng.uniform(0.7, 1.3, variable.shape.as_list())
        for variable in tf.global_variables()
        if variable.op.name.endswith(('gamma', 'beta', 'moving_mean', 'moving_variance'))})
    return trace.trace(session, images, logits)


# --- floats ---

@pytest.mark.parametrize('name, hparams', [
    ('mmnet', {'width_multiplier': 0.5}), ('mmnet', {'width_multiplier': 0.5, 'refinement': False}),
    ('mmnet', {'width_multiplier': 0.5, 'dilation': False, 'enhancement': False}),
    ('deeplab', {'width_multiplier': 0.35}),
    ('deeplab', {'width_multiplier': 0.35, 'output_stride': 8}), ('portraitnet', {}),
    ('modnet', {}), ('modnet', {'squeeze_excitation': True})])
def test_a_float_file_computes_the_network_with_dilations_and_no_leftovers(name, hparams):
    # Random weights give the rivals logits of ±50, and float32's last digits with them.
    size, tolerance = (64, 2e-4) if name in ('portraitnet', 'modnet') else (48, 2e-6)
    images = tf.placeholder(tf.float32, [1, size, size, 3])
    logits, _ = models.build(name, images, False, **hparams)
    pixels = np.random.RandomState(0).rand(2, size, size, 3).astype(np.float32)
    with tf.Session() as session:
        network = traced(logits, images, session)
        alpha = losses.foreground_alpha(logits)
        expected = np.stack([session.run(alpha, {images: row[np.newaxis]})[0] for row in pixels])
    assert expected.std() > 1e-3
    for head in ('logistic', 'builtin'):
        plain = softmax.HEADS[head](network)
        for layers in (plain, rearrange.rearrange(plain)):
            content = encode.encode(layers, 'float32', '')
            np.testing.assert_allclose(run_here(content, pixels), expected, atol=tolerance)
            counts = flatbuffer.operator_counts(content)
            assert not set(counts) & {'SPACE_TO_BATCH_ND', 'BATCH_TO_SPACE_ND', 'CUSTOM',
                                      'QUANTIZE', 'DEQUANTIZE'}
            assert 'MUL' not in counts or name == 'modnet'
            # What ADD there is comes from residuals, or from the sums that stand for
            # concatenations.
            if name == 'mmnet' and layers is plain:
                assert 'ADD' not in counts
    if name == 'mmnet' and hparams.get('dilation', True):
        assert {layer.dilation for layer in network.layers} == {1, 2, 4, 8}


def test_the_graph_is_left_out_but_for_what_leads_to_the_output():
    images = tf.placeholder(tf.float32, [1, 32, 32, 3])
    logits, _ = models.build('mmnet', images, False, width_multiplier=0.5)
    with tf.Session() as session:
        network = traced(logits, images, session)
    assert not [value for layer in network.layers for value in layer.outputs
                if 'aux' in value.name]


@pytest.mark.parametrize('spoil, named', [
    (lambda net: tf.tanh(net), 'Tanh'),
    (lambda net: tf.nn.max_pool2d(net, 2, 2, 'SAME'), 'MaxPool'),
    (lambda net: slim.conv2d(net, 2, 3, padding='VALID'), 'VALID'),
    (lambda net: tf.concat([net, net], axis=1), 'channels'),
    (lambda net: tf.tile(net, [1, 2, 2, 1]), 'single pixel'),
    (lambda net: tf.nn.relu(tf.concat([net, net], axis=3)), 'follows no layer'),
    (lambda net: tf.pad(net, [[0, 0], [1, 1], [1, 1], [0, 0]]), 'pads more'),
    (lambda net: tf.nn.avg_pool2d(net, 3, 2, 'SAME'), 'overlap')])
def test_what_cannot_be_exported_is_named(spoil, named):
    images = tf.placeholder(tf.float32, [1, 16, 16, 3])
    net = spoil(slim.conv2d(images, 2, 1, activation_fn=None))
    with tf.Session() as session, pytest.raises(ValueError, match=named):
        traced(net, images, session)


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


# --- softmax ---

SCALE = 3.1 / 127
LOGITS = Range(-SCALE * 128, SCALE * 127, 8)


def head_only(head):
    """A network that is given logits."""
    if head == 'logistic':
        logit = Value('logit', [1, 16, 16, 1], LOGITS._replace(low=2 * LOGITS.low,
                                                               high=2 * LOGITS.high))
        alpha = Value('alpha', [1, 16, 16, 1], softmax.PROBABILITIES)
        return Network(logit, alpha, [Layer('LOGISTIC', [logit], [alpha])])
    logits = Value('logits', [1, 256, 256, 2], LOGITS)
    return softmax.HEADS[head](Network(logits, logits, []))


@pytest.mark.parametrize('precision', ['uint8', 'int8'])
@pytest.mark.parametrize('head', ['lut', 'logistic', 'builtin'])
def test_all_pairs_of_8_bit_logits_in_both_runtimes(precision, head, tmp_path):
    """Every one of the 65,536 pairs (256 single logits), through the interpreters."""
    stored = np.arange(256)
    if head == 'logistic':
        inputs = stored.reshape(1, 16, 16, 1)
        alpha = expit(2 * SCALE * (inputs - 128.0))
    else:
        inputs = np.stack(np.meshgrid(stored, stored, indexing='ij'), axis=-1)[np.newaxis]
        alpha = expit(SCALE * (inputs[..., 1:] - inputs[..., :1].astype(np.float64)))
    steps = 255 if head == 'lut' else 256
    expected = np.minimum(np.floor(steps * alpha + 0.5), 255)
    content = encode.encode(head_only(head), precision, '')
    path = tmp_path / 'head.tflite'
    path.write_bytes(content)
    ours = run_here(content, inputs)
    assert ours.dtype == np.uint8
    theirs = np.round(run_in_litert([path], inputs, tmp_path)[0] * steps)
    if head == 'lut':
        np.testing.assert_array_equal(ours, expected)
        np.testing.assert_array_equal(theirs, expected)
    else:
        # The runtimes' own: exact but for ties, where their sums in other precisions decide.
        for found in (ours, theirs):
            assert np.abs(found - expected).max() <= 1
            assert (found != expected).mean() < 0.01


def test_the_table_is_the_softmax_rounded():
    table = softmax.alpha_table(0.05, 100)
    background, foreground = 0.05 * (30 - 100), 0.05 * (210 - 100)
    alpha = np.exp(foreground) / (np.exp(foreground) + np.exp(background))
    assert table[30, 210] == round(255 * alpha)
    assert table[210, 30] == 255 - table[30, 210]
    assert (np.diff(table.astype(int), axis=1) >= 0).all()


def test_one_logit_takes_a_convolution():
    value = Value('x', [1, 4, 4, 2])
    network = Network(value, value, [Layer('MEAN', [value], [value])])
    with pytest.raises(ValueError, match='not from a convolution'):
        softmax.logistic(network)


# --- 8 bits ---

def quantized_layer(kind, channels=3):
    source = Value('source', [1, 8, 8, channels], Range(0.0, 6.0, 8))
    target = Value('target', [1, 8, 8, 4 if kind == 'CONV_2D' else channels], Range(-4.0, 5.0, 8))
    rng = np.random.RandomState(0)
    shape = [3, 3, channels, 4] if kind == 'CONV_2D' else [3, 3, channels, 1]
    weights = rng.uniform(-1, 1, shape)
    layer = Layer(kind, [source], [target], weights, Range(-1.0, 1.0, 8, True), dilation=2)
    layer.bias = rng.uniform(-1, 1, target.shape[3])
    return layer


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


@pytest.mark.parametrize('change, complaint', [
    (lambda layer: setattr(layer, 'weight_range', None), 'no quantization range'),
    (lambda layer: setattr(layer, 'weight_range', Range(-1.0, 3.0, 8, True)), 'symmetric'),
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
    layer.weight_range = Range(-1.0, 1.0, 4, True)
    model = flatbuffer.schema.ModelT.InitFromObj(
        flatbuffer.schema.Model.GetRootAsModel(encode.encode_layer(layer, 'int8'), 0))
    weights, = [tensor for tensor in model.subgraphs[0].tensors if b'weights' in tensor.name]
    stored = model.buffers[weights.buffer].data.view(np.int8)
    assert set(stored) <= set(range(-7, 8)) and len(set(stored)) > 10
    np.testing.assert_allclose(weights.quantization.scale, 1 / 7, rtol=1e-6)


# --- files ---

def test_metadata_is_standard_and_tells_input_and_step():
    content = encode.encode(head_only('lut'), 'uint8', '')
    hparams = {'model': 'mmnet', 'network': {'width_multiplier': 0.5}}
    described = json.loads(metadata.read(metadata.add(content, hparams, 1234, 128, 'uint8')))
    assert described['version'] == 'step 1234' and '128×128' in described['description']
    image, = described['subgraph_metadata'][0]['input_tensor_metadata']
    assert image['content']['content_properties_type'] == 'ImageProperties'
    assert image['process_units'][0]['options'] == {'mean': [0.0], 'std': [255.0]}
    assert image['stats']['max'] == [255.0]


def test_files_are_aligned_and_their_operators_can_be_parted():
    content = encode.encode(head_only('lut'), 'int8', 'description')
    assert content[4:8] == b'TFL3'
    parts = flatbuffer.single_operators(content)
    assert [kind for kind, _ in parts] == ['QUANTIZE', 'QUANTIZE', 'CAST', 'GATHER_ND']
    table = softmax.alpha_table(SCALE, 128).tobytes()
    assert content.index(table) % 16 == 0
    pairs = np.random.RandomState(0).randint(0, 256, [1, 256, 256, 2])
    np.testing.assert_array_equal(
        run_here(parts[3][1], pairs)[0, :, :, 0],
        softmax.alpha_table(SCALE, 128)[pairs[0, :, :, 0], pairs[0, :, :, 1]])


@pytest.mark.parametrize('content', [b'', b'no flatbuffer'])
def test_other_files_are_refused_in_a_line(content, tmp_path):
    path = tmp_path / 'other.tflite'
    path.write_bytes(content)
    with pytest.raises(UserError, match='cannot be run as a .tflite file'):
        Interpreter(str(path))
    path.write_bytes(encode.encode(head_only('lut'), 'uint8', ''))
    with pytest.raises(UserError, match='takes one square photo'):
        Interpreter(str(path))


def test_upsampling_once_by_four_is_upsampling_twice_by_two():
    net = tf.constant(np.random.RandomState(0).rand(1, 6, 6, 2).astype(np.float32))
    with tf.Session() as session:
        once, twice = session.run([network_layers.upsample(net, 4),
                                   network_layers.upsample(network_layers.upsample(net))])
    np.testing.assert_allclose(once, twice, atol=1e-6)
