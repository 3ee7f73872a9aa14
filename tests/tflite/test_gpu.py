import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from mmnet import models
from mmnet.errors import UserError
from mmnet.tflite import encode, gpu, rearrange
from mmnet.tflite.export import export
from mmnet.tflite.layers import Layer, LayerGraph, Value
from tests.helpers import run_here
from tests.tflite.helpers import checkpoint_of, head_only, run_of, traced


def mean_of(size):
    source, target = Value('image', [1, size, size, 3]), Value('mean', [1, 1, 1, 3])
    return LayerGraph(source, target, [Layer('MEAN', [source], [target])])


def white(size):
    return np.full([size, size, 3], 255, np.uint8)


def test_a_sum_of_many_pixels_overflows_unless_it_is_taken_in_steps():
    plain = mean_of(512)
    report, = gpu.run_in_float16(plain, white(512))
    assert report.overflowed and report.largest == 1
    stepwise = rearrange.average_in_steps(plain)
    assert [layer.kind for layer in stepwise.layers] == ['AVERAGE_POOL_2D'] * 5 + ['MEAN']
    reports = gpu.run_in_float16(stepwise, white(512))
    assert not any(each.overflowed for each in reports) and reports[-1].error == 0
    # An odd side ends the steps; small maps have none.
    assert [layer.inputs[0].shape[1] for layer in rearrange.average_in_steps(
        mean_of(36)).layers] == [36, 18, 9]
    assert len(rearrange.average_in_steps(mean_of(16)).layers) == 1


def test_errors_are_those_of_halves():
    image = Value('image', [1, 2, 2, 3])
    target = Value('conv', [1, 2, 2, 1])
    layer = Layer('CONV_2D', [image], [target], np.full([1, 1, 3, 1], 1000.0))
    pixels = np.random.RandomState(0).randint(0, 256, [2, 2, 3]).astype(np.uint8)
    report, = gpu.run_in_float16(LayerGraph(image, target, [layer]), pixels)
    halves = (pixels / np.float32(255)).astype(np.float16) * np.float16(1000)
    sums = (halves[..., 0] + halves[..., 1]) + halves[..., 2]
    exact = 1000 * (pixels / 255).sum(axis=2)
    # The order of summation is TensorFlow's own: a step of 2 to either side.
    assert abs(report.error - np.abs(sums.astype(np.float64) - exact).max()) <= 2
    assert report.error > 0 and not report.overflowed
    assert report.largest == pytest.approx(exact.max(), rel=1e-5)


@pytest.mark.slow
def test_mmnet_is_safe_and_a_table_is_refused(tmp_path):
    run = run_of()
    exported = export(checkpoint_of(run, tmp_path), run, 32, 'float32', 'logistic')
    image = np.random.RandomState(0).randint(0, 256, [32, 32, 3]).astype(np.uint8)
    reports = gpu.check(exported, image)
    assert [each.name for each in reports] == [
        layer.outputs[0].name for layer in exported.network.layers]
    assert reports[-1].error < 0.01
    exported = dataclasses.replace(exported, network=head_only('lut'))
    with pytest.raises(UserError, match=r'--check gpu: the GPU delegate refuses .*\(LUT\)'):
        gpu.check(exported, image)


@pytest.mark.slow
def test_modnet_survives_halves_by_steps():
    images = tf.placeholder(tf.float32, [1, 256, 256, 3])
    logits, _ = models.build('modnet', images, False)
    with tf.Session() as session:
        network = traced(logits, images, session)
    assert any(each.overflowed for each in gpu.run_in_float16(network, white(256)))
    safe = gpu.run_in_float16(rearrange.rearrange(network), white(256))
    assert not any(each.overflowed for each in safe)


def test_what_overflows_or_is_off_is_refused():
    with pytest.raises(UserError, match='mean overflows in half precision, the first of 1 layers'):
        gpu.check(types.SimpleNamespace(network=mean_of(512)), white(512))
    image, alpha = Value('image', [1, 4, 4, 3]), Value('alpha', [1, 4, 4, 1])
    layer = Layer('CONV_2D', [image], [alpha], np.full([1, 1, 3, 1], 100.2))
    # 3 × 100.2 is 300.6, and a half steps by a quarter there.
    with pytest.raises(UserError, match='α is off by 0.1 in half precision'):
        gpu.check(types.SimpleNamespace(network=LayerGraph(image, alpha, [layer])), white(4))


@pytest.mark.parametrize('activation', ['NONE', 'RELU', 'RELU6'])
def test_in_floats_layers_compute_what_a_file_does(activation):
    rng = np.random.RandomState(0)
    values = [Value(str(index), [1, size, size, channels]) for index, (size, channels) in
              enumerate([(16, 3), (8, 4), (8, 4), (8, 4), (16, 4), (20, 4)])]
    kinds = [('CONV_2D', [3, 3, 3, 4], {'stride': 2}), ('CONV_2D', [3, 3, 4, 4], {'dilation': 2}),
             ('DEPTHWISE_CONV_2D', [3, 3, 4, 1], {'dilation': 2}), ('RESIZE_BILINEAR', None, {}),
             ('RESIZE_BILINEAR', None, {'align_corners': True})]
    layers = [Layer(kind, [source], [target], shape and rng.normal(0, 1, shape), **options)
              for (kind, shape, options), source, target in zip(kinds, values, values[1:])]
    for layer in layers[:3]:
        layer.bias, layer.activation = rng.normal(0, 1, 4), activation
    network = LayerGraph(values[0], values[-1], layers)
    image = rng.randint(0, 256, [16, 16, 3]).astype(np.uint8)
    expected = run_here(encode.encode(network, 'float32', '', 'float32'),
                        image[np.newaxis] / np.float32(255))
    assert gpu.run_in_float16(network, image)[-1].largest == pytest.approx(
        abs(expected).max(), rel=1e-5)
