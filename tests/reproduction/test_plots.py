"""The figures: their points, and that pictures come out."""

import numpy as np
from PIL import Image

from mmnet.reproduction import plots, tables
from tests.reproduction.helpers import LATENCY, RECORDS, latency, record


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


def test_figure5_has_a_column_for_each_method(tmp_path):
    rng = np.random.RandomState(0)
    photos = [rng.randint(0, 256, [40, 30, 3]).astype(np.uint8)] * 2
    plots.figure5([('photo', photos), ('ground truth', [np.ones([40, 30])] * 2)],
                  str(tmp_path / 'figure5.png'))
    assert Image.open(str(tmp_path / 'figure5.png')).size[0] > 300
