"""Drawn people."""

import numpy as np

from mmnet.datasets.canvas import Canvas
from mmnet.datasets.people import paint_arms


def test_an_arm_begins_at_its_shoulder():
    shoulders, cloth = np.array([[20.0, 60.0], [44.0, 60.0]]), np.full([96, 64, 3], 0.5)
    for seed in range(20):
        canvas = Canvas(64, 96)
        paint_arms(canvas, np.random.RandomState(seed), shoulders, [1], 8.0, cloth, np.full(3, 0.8))
        assert canvas.alpha[60, 44] == 1 and canvas.alpha[60, 20] < 1
        # Shoulder to fingertips: at most 4.4 radii of arm, 0.72 of palm, and 1.62 of fingers.
        rows, columns = np.nonzero(canvas.alpha)
        assert np.hypot(rows - 60, columns - 44).max() < 8 * 7.2
