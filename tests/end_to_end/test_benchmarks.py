"""Parts of the benchmarks: what they time, and how they summarize it."""

import os
import runpy

import numpy as np
import pytest
import tensorflow as tf

from mmnet.data.pairs import Pair, find_pairs
from mmnet.tflite.layers import Layer, Value
from tests.helpers import ROOT, constants


def program(name):
    return runpy.run_path(os.path.join(ROOT, 'scripts', name + '.py'))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['authors_step', 'our_step'])
def test_a_timed_step_trains_every_weight(small_mmnet, name):
    tf.train.get_or_create_global_step()
    rng = np.random.RandomState(0)
    step = program('benchmark_step')[name](
        *constants(rng.rand(2, 32, 32, 3), rng.rand(2, 32, 32, 1)))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run(tf.model_variables())
        session.run(step)
        after = session.run(tf.model_variables())
    for variable, one, other in zip(tf.model_variables(), before, after):
        assert (one != other).any(), variable.op.name


def test_the_plain_pipeline_moves_image_and_mask_together(dataset):
    # Photos that are their own masks.
    twins = [Pair(each.stem, each.mask, each.mask) for each in find_pairs(dataset, 'train')]
    batches = program('benchmark_input')['plain_dataset'](twins, 32, 4)
    with tf.Session() as session:
        images, alphas = session.run(tf.data.make_one_shot_iterator(batches).get_next())
    assert images.shape == (4, 32, 32, 3) and alphas.shape == (4, 32, 32, 1)
    np.testing.assert_allclose(images, np.tile(alphas, [1, 1, 1, 3]), atol=1e-5)
    assert 0 <= alphas.min() and 0.9 < alphas.max() <= 1 + 1e-5


@pytest.mark.parametrize('kind, shape', [('CONV_2D', [1, 1, 2, 2]),
                                         ('DEPTHWISE_CONV_2D', [1, 2, 2, 1])])
def test_weights_are_rounded_by_layer_or_by_channel(kind, shape):
    rounded = program('benchmark_bits')['rounded']
    layer = Layer(kind, [], [Value('out', [1, 1, 1, 2])], np.reshape([1, 0.09, 0.4, 0.03], shape))
    # Three bits have three steps to each side of zero.
    np.testing.assert_allclose(rounded(layer, 3, False).ravel(), [1, 0, 1 / 3, 0])
    np.testing.assert_allclose(rounded(layer, 3, True).ravel(), [1, 0.09, 1 / 3, 0.03])


def test_a_table_has_the_figures_of_its_runs(tmp_path, capsys):
    benchmark, rows = program('benchmark_tflite'), []
    for name, times in (('a', [1, 2, 6]), ('b', [4, 5, 12])):
        (tmp_path / name).write_bytes(b'12345')
        rows.append(benchmark['summary'](str(tmp_path / name), times))
    assert rows[0] == {'file': str(tmp_path / 'a'), 'bytes': 5, 'runs': 3, 'mean': 3, 'median': 2,
                       'standard_deviation': pytest.approx(7 ** 0.5)}
    benchmark['print_table']('tensorflow', rows)
    assert capsys.readouterr().out.split('\n')[-2].split()[1:] == [
        '5', '7.00', '±', '4.36', '5.00', '2.500']


def test_each_pixel_that_a_transposed_convolution_reads_meets_all_weights():
    count = program('summarize')['multiply_adds']
    small, large = Value('small', [1, 8, 8, 3]), Value('large', [1, 16, 16, 3])
    up = Layer('TRANSPOSE_CONV', [small], [large], np.zeros([4, 4, 3, 3]), stride=2)
    down = Layer('CONV_2D', [large], [small], np.zeros([4, 4, 3, 3]), stride=2)
    assert count(up) == count(down) == 8 * 8 * 4 * 4 * 3 * 3
