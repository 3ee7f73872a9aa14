"""An export compared with its graph: the same file passes, a changed one does not."""

import dataclasses

import numpy as np
import pytest

from mmnet.errors import UserError
from mmnet.tflite import check
from mmnet.tflite.export import check_exportable, export
from tests.tflite.helpers import checkpoint_of, run_of


def test_a_float_file_is_the_graph_and_a_changed_one_is_noticed(tmp_path):
    run = run_of()
    exported = export(checkpoint_of(run, tmp_path), run, 32, 'float32', 'logistic')
    path = tmp_path / 'model.tflite'
    path.write_bytes(exported.content)
    differences = check.compare(str(path), exported)
    assert differences.mean <= differences.largest < 1e-5
    with pytest.raises(UserError, match='differs from the graph'):
        check.compare(str(path), dataclasses.replace(exported, alpha=exported.alpha * 0.99))


def test_example_images_have_structure_and_stay_the_same():
    images = check.example_images(32)
    assert images.shape == (check.IMAGES, 32, 32, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(images, check.example_images(32))
    for image in images:
        assert image.min() == 0 and image.max() == 255 and image.std() > 20


@pytest.mark.slow
def test_a_file_with_a_grid_for_each_channel_computes_what_the_graph_does(tmp_path):
    run = run_of('--quantize', '--per_channel', '--weight_bits', '6')
    exported = export(checkpoint_of(run, tmp_path), run, 32, 'int8', 'logistic')
    path = tmp_path / 'model.tflite'
    path.write_bytes(exported.content)
    check.compare(str(path), exported)
    ranges = [layer.weight_ranges for layer in exported.network.layers
              if layer.weights is not None][:-1]
    # All convolutions but the last, which has a single channel, have a grid for each.
    assert all(len(each) > 1 for each in ranges) and len(ranges) > 50
    assert all(len({grid.high for grid in each}) > 1 for each in ranges)
    for layer in exported.network.layers[:5]:
        if layer.kind == 'CONV_2D':
            largest = abs(layer.weights).max(axis=(0, 1, 2))
            np.testing.assert_allclose([grid.high for grid in layer.weight_ranges], largest,
                                       rtol=1e-5)
    with pytest.raises(UserError, match='--per_channel.*choose int8'):
        check_exportable(run, 'uint8', 'logistic')
