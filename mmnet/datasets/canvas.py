"""What people and scenery are painted with: layers of colour and coverage, colours, curves."""

from typing import Optional, Sequence, Tuple

import cv2
import numpy as np

# Everything is drawn larger, then averaged: a strand of hair gets its partial coverage this way.
SUPERSAMPLING = 2
# cv2 draws at fractions of a pixel if coordinates are multiplied by 2 to this power.
SHIFT = 4

SKIN = np.array([[.98, .86, .77], [.91, .72, .59], [.78, .57, .43], [.56, .38, .27],
                 [.36, .24, .18]])
HAIR = np.array([[.07, .06, .06], [.20, .13, .09], [.36, .23, .14], [.66, .49, .28],
                 [.82, .70, .48], [.52, .22, .10], [.62, .61, .60], [.86, .85, .84]])


class Canvas:
    """Layers painted over one another, as premultiplied colours and coverage."""

    def __init__(self, width: int, height: int, light: Optional[np.ndarray] = None):
        """Makes an empty canvas; `light` `[2, 2]` is the lamp's brightness in its corners."""
        self.width, self.height = width, height
        light = np.ones([2, 2]) if light is None else light
        self._light = cv2.resize(light.astype(np.float32), (width, height))[..., None]
        self.premultiplied = np.zeros([height, width, 3], np.float32)
        self.alpha = np.zeros([height, width], np.float32)

    def paint(self, coverage: np.ndarray, colour: np.ndarray) -> None:
        """Paints a colour `[3]` or `[H, W, 3]` over the layers so far; coverage: uint8 `[H, W]`."""
        x, y, width, height = cv2.boundingRect(coverage)
        box = np.s_[y:y + height, x:x + width]
        cover = coverage[box].astype(np.float32) / 255
        colour = np.asarray(colour, np.float32)
        colour = np.minimum((colour[box] if colour.ndim == 3 else colour) * self._light[box], 1)
        self.premultiplied[box] += cover[..., None] * (colour - self.premultiplied[box])
        self.alpha[box] += cover * (1 - self.alpha[box])

    def ellipse(self, centre: Sequence[float], axes: Sequence[float],
                tilt: float = 0) -> np.ndarray:
        """Returns the coverage of an ellipse; `tilt` is in degrees, clockwise."""
        coverage = self._empty()
        cv2.ellipse(coverage, _fixed(centre), _fixed(axes), tilt, 0, 360, 255, -1, cv2.LINE_AA,
                    SHIFT)
        return coverage

    def polygon(self, points: np.ndarray) -> np.ndarray:
        """Returns the coverage of a polygon `[N, 2]`."""
        coverage = self._empty()
        cv2.fillPoly(coverage, [_fixed_array(points)], 255, cv2.LINE_AA, SHIFT)
        return coverage

    def lines(self, lines: np.ndarray, thickness: int = 1) -> np.ndarray:
        """Returns the coverage of polylines `[N, P, 2]`."""
        coverage = self._empty()
        cv2.polylines(coverage, list(_fixed_array(lines)), False, 255, thickness, cv2.LINE_AA,
                      SHIFT)
        return coverage

    def _empty(self) -> np.ndarray:
        return np.zeros([self.height, self.width], np.uint8)


def _fixed(point: Sequence[float]) -> Tuple[int, ...]:
    return tuple(int(round(float(value) * 2 ** SHIFT)) for value in point)


def _fixed_array(points: np.ndarray) -> np.ndarray:
    return np.round(points * 2 ** SHIFT).astype(np.int32)


def any_colour(rng: np.random.RandomState) -> np.ndarray:
    """Draws any colour; one in four is a colour of skin or hair."""
    if rng.uniform() < 0.25:
        return palette_colour(rng, SKIN if rng.uniform() < 0.6 else HAIR)
    # Most things are greyer than uniformly drawn colours.
    colour = rng.uniform(0, 1, 3)
    return colour.mean() + (colour - colour.mean()) * rng.beta(1.2, 1.8)


def palette_colour(rng: np.random.RandomState, palette: np.ndarray) -> np.ndarray:
    """Draws a colour between two neighbours of a palette `[N, 3]`, slightly varied."""
    index, share = rng.randint(len(palette) - 1), rng.uniform()
    colour = palette[index] * share + palette[index + 1] * (1 - share)
    return (colour + rng.normal(0, 0.02, 3)).clip(0, 1)


def draw_lamp(rng: np.random.RandomState) -> np.ndarray:
    """Draws the brightness in the four corners, as from a lamp on one side."""
    return rng.uniform(0.65, 1.1, [2, 2])


def draw_cloth(canvas: Canvas, rng: np.random.RandomState) -> np.ndarray:
    """Draws a plain, striped or chequered cloth, `[H, W, 3]`."""
    cloth = np.empty([canvas.height, canvas.width, 3], np.float32)
    cloth[:] = any_colour(rng)
    kind = rng.randint(4)
    if kind:
        other, pitch = any_colour(rng), canvas.width * rng.uniform(0.02, 0.1)
        y, x = np.mgrid[:canvas.height, :canvas.width]
        stripes = [(x + y * rng.normal(0, 0.3)) / pitch % 1 < 0.5, y / pitch % 1 < 0.4]
        cloth[stripes[0] ^ stripes[1] if kind == 3 else stripes[kind - 1]] = other
    return cloth


def smooth(corners: np.ndarray) -> np.ndarray:
    """Smooths a polygon by three rounds of Chaikin's corner cutting."""
    for _ in range(3):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([corners * 0.75 + following * 0.25,
                            corners * 0.25 + following * 0.75], axis=1).reshape([-1, 2])
    return corners


def draw_strands(rng: np.random.RandomState, roots: np.ndarray, directions: np.ndarray,
                 length: float, gravity: float, curl: float) -> np.ndarray:
    """Makes curved lines `[N, 9, 2]`; gravity bends them down, curl makes them wavy."""
    count = len(roots)
    directions = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-6)
    directions = directions + rng.normal(0, 0.4, [count, 2])
    lengths = length * rng.gamma(3, 0.25, [count, 1, 1])
    at = np.linspace(0, 1, 9)[None, :, None]
    lines = roots[:, None] + directions[:, None] * lengths * at
    lines = lines + np.array([0, gravity]) * lengths * at ** 2 * 1.5
    phase, waves = rng.uniform(0, 2 * np.pi, [count, 1, 1]), rng.uniform(0.5, 2, [count, 1, 1])
    across = directions[:, None, ::-1] * [1, -1]
    return lines + across * lengths * curl * 0.3 * at * np.sin(2 * np.pi * waves * at + phase)
