"""The figures: their points, and that pictures come out."""

import numpy as np
from PIL import Image

from mmnet.reproduction import plots, tables
from tests.reproduction.helpers import LATENCY, RECORDS, RESULTS, latency, record


def test_the_pareto_front():
    points = [(3, 1), (1, 3), (2, 2), (2.5, 2.5), (4, 1)]
    assert plots.pareto_front(points) == [(1, 3), (2, 2), (3, 1)]
    assert plots.pareto_front([]) == []


def test_figure1_is_drawn_and_leaves_out_what_is_not_measured(tmp_path):
    path = tmp_path / 'new' / 'figure1.png'
    # Latencies of ablations are measured, too, but they are no rows of the figure.
    results = tables.Results(RECORDS, {**LATENCY, 'No dilation': latency(4.0)})
    plots.figure1(results, [*tables.rows_of_target('figure1', results), 'No such row'], str(path))
    pixels = np.asarray(Image.open(str(path)).convert('RGB')).astype(int)
    assert pixels.shape[0] > 400
    # A reddish and a bluish circle.
    red, blue = pixels[..., 0] - pixels[..., 2], pixels[..., 2] - pixels[..., 0]
    assert (red > 60).sum() > 100 and (blue > 60).sum() > 100


def test_figure1_takes_any_row(tmp_path):
    records = [*RECORDS, record('TinyNet-8', 1, 0.03, parameters=1482)]
    results = tables.Results(records, {**LATENCY, 'TinyNet-8': latency(4.0)})
    plots.figure1(results, ['TinyNet-8', records[0]['row']], str(tmp_path / 'figure1.png'))
    assert Image.open(str(tmp_path / 'figure1.png')).size[0] > 300


def test_circles_lie_at_the_median_latency_and_the_mean_error(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, 'save', lambda figure, path: drawn.append(figure))
    plots.figure1(RESULTS, ['MMNet-1.00', 'MD16-0.75', 'No dilation', 'DAPM'], '')
    axes, = drawn[0].axes
    np.testing.assert_allclose([circle.get_offsets()[0] for circle in axes.collections],
                               [[4, 11], [8, 20.5]])
    # The rival is slower and less accurate, so the front is one point.
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[4, 11]])


def test_figure5_has_a_column_for_each_method(tmp_path):
    red, path = np.full([40, 30, 3], [200, 30, 30], np.uint8), str(tmp_path / 'figure5.png')
    plots.figure5([('photo', [red] * 2), ('ground truth', [np.zeros([40, 30])] * 2)], path)
    pixels = np.asarray(Image.open(path).convert('RGB')).astype(int)
    photo = pixels[..., 0] - pixels[..., 1] > 100
    rows = photo.any(axis=1)
    # Two photos, and to the right of them two black mattes.
    columns, black = np.nonzero(photo)[1], np.nonzero((pixels[rows] < 10).all(axis=2))[1]
    assert columns.max() < black.min() and black.size > 0.8 * columns.size
    assert np.count_nonzero(np.diff(rows.astype(int))) >= 3
