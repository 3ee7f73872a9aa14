"""Drawn backgrounds."""

import numpy as np

from mmnet.datasets.canvas import Canvas
from mmnet.datasets.scenery import paint_seat, room


def test_seats_come_up_from_below_and_rooms_stay_colours():
    for seed in range(20):
        rng = np.random.RandomState(seed)
        canvas = Canvas(64, 64)
        paint_seat(canvas, rng)
        covered = canvas.alpha > 0.5
        assert not covered.any() or covered[-1].any()
        assert canvas.alpha[0].max() == 0 and canvas.alpha.max() <= 1
        picture = np.full([64, 64, 3], 0.5, np.float32)
        room(picture, rng)
        assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1
