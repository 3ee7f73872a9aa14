"""The heads in both runtimes, on every pair of 8-bit logits."""

import numpy as np
import pytest
from scipy.special import expit

from mmnet.tflite import encode, softmax
from mmnet.tflite.layers import Layer, LayerGraph, Value
from tests.helpers import run_here, run_in_litert
from tests.tflite.helpers import SCALE, head_only


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
    content = encode.encode(head_only(head), precision, '', 'uint8')
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
    network = LayerGraph(value, value, [Layer('MEAN', [value], [value])])
    with pytest.raises(ValueError, match='not from a convolution'):
        softmax.logistic(network)
