"""Figures 1 and 5, drawn by matplotlib."""

import os
from typing import Any, List, Sequence, Tuple

import numpy as np

from mmnet import files
from mmnet.errors import UserError
from mmnet.reproduction.tables import Results

try:
    import matplotlib
except ImportError:
    matplotlib = None

# Circles have an area proportional to the logarithm of the parameters, from here on.
FEWEST_PARAMETERS = 2e4
AREA = 220
COLOURS = {'MMNet': '#c0392b', 'MD16': '#2471a3', 'MD8': '#17a589'}
DPI = 150


def check_matplotlib() -> None:
    """Raises UserError if matplotlib is not installed."""
    if matplotlib is None:
        raise UserError('matplotlib: is not installed; run scripts/setup.sh --plots once')


def pyplot() -> Any:
    """Returns matplotlib's drawing module, without a screen."""
    check_matplotlib()
    matplotlib.use('Agg')
    from matplotlib import pyplot as plt
    return plt


def figure1(results: Results, labels: Sequence[str], path: str) -> None:
    """Draws gradient error against latency, one circle per row, and the Pareto front.

    Args:
        results: of the runs.
        labels: rows; those without a figure or a latency are left out.
        path: of the picture.
    """
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(7, 5))
    points: List[Tuple[float, float]] = []
    for label in labels:
        latency = results.milliseconds(label, 'litert')
        errors = results.values(label, 'gradient_error')
        if not latency or not errors:
            continue
        x, y = latency['median'], 1000 * float(np.mean(errors))
        family, _, width = label.partition('-')
        parameters = max(results.of(label)[0]['parameters'], 2 * FEWEST_PARAMETERS)
        area = AREA * np.log10(parameters / FEWEST_PARAMETERS)
        known = axes.get_legend_handles_labels()[1]
        axes.scatter(x, y, area, COLOURS.get(family, '0.5'), alpha=0.6,
                     label=family if family not in known else None)
        radius = np.sqrt(area) / 2
        axes.annotate(width, (x, y), (0, radius + 2), textcoords='offset points', ha='center',
                      fontsize=8)
        points.append((x, y))
    front = pareto_front(points)
    axes.plot(*zip(*front), color='0.4', linestyle='--', linewidth=1, zorder=0)
    axes.set_xlabel('milliseconds in LiteRT, one core (* 128×128)')
    axes.set_ylabel('gradient error ×10³')
    axes.margins(0.1)
    axes.legend(markerscale=0.5)
    axes.grid(alpha=0.3)
    save(figure, path)


def pareto_front(points: Sequence[Tuple[float, float]]) -> List[Tuple[float, float]]:
    """Returns the points that no other is better than in both coordinates, from left to right."""
    front: List[Tuple[float, float]] = []
    for point in sorted(points):
        if not front or point[1] < front[-1][1]:
            front.append(point)
    return front


def figure5(columns: Sequence[Tuple[str, Sequence[np.ndarray]]], path: str) -> None:
    """Draws photos and mattes, one column per method.

    Args:
        columns: titles, and the pictures from top to bottom: RGB, or grey in [0, 1].
        path: of the picture.
    """
    plt = pyplot()
    rows = len(columns[0][1])
    figure, axes = plt.subplots(rows, len(columns), squeeze=False,
                                figsize=(1.6 * len(columns), 2.1 * rows))
    for column, (title, pictures) in zip(axes.T, columns):
        column[0].set_title(title, fontsize=9)
        for cell, picture in zip(column, pictures):
            cell.imshow(picture, cmap='gray', vmin=0, vmax=1)
            cell.axis('off')
    figure.subplots_adjust(0, 0, 1, 0.95, 0.03, 0.03)
    save(figure, path)


def save(figure: Any, path: str) -> None:
    """Writes a drawing as PNG, whole or not at all, and closes it."""
    files.make_directory(os.path.dirname(path) or '.')
    with files.replacing(path) as partial:
        figure.savefig(partial, format='png', dpi=DPI, bbox_inches='tight')
    pyplot().close(figure)
