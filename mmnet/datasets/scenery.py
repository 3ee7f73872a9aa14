"""Draws what people are in front of: walls, lights, foliage, rooms.

Colours of skin, hair and cloth, blobs and strands occur here, too, so that only shape tells the
person from the background.
"""

from typing import Callable, List, Tuple

import cv2
import numpy as np

from mmnet.datasets.canvas import (Canvas, any_colour, draw_cloth, draw_lamp, draw_strands,
                                   smooth)


def draw_background(rng: np.random.RandomState, width: int, height: int) -> np.ndarray:
    """Draws one or two of the kinds below over a gradient, sharp or out of focus."""
    kinds: List[Callable] = [wall, clouds, lights, things, foliage, room, room]
    picture = gradient(rng, width, height)
    kinds[rng.randint(len(kinds))](picture, rng)
    if rng.uniform() < 0.3:
        kinds[rng.randint(len(kinds))](picture, rng)
    if rng.uniform() < 0.7:
        # Out of focus. Blurring a small picture and enlarging it is as smooth and much faster.
        sigma = width * rng.uniform(0.003, 0.03)
        step = max(1, int(sigma / 2))
        small = cv2.resize(picture, (width // step, height // step), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / step), (width, height))
    return picture.clip(0, 1)


def gradient(rng: np.random.RandomState, width: int, height: int) -> np.ndarray:
    """Draws a gradient between four corner colours."""
    corners = np.stack([any_colour(rng) for _ in range(4)]).reshape([2, 2, 3])
    if rng.uniform() < 0.5:
        corners = corners[:1, :1] + rng.normal(0, 0.08, [2, 2, 3])
    return cv2.resize(corners.clip(0, 1).astype(np.float32), (width, height))


def wall(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws stripes, tiles or bricks."""
    height, width = picture.shape[:2]
    pitch = width * rng.uniform(0.04, 0.25)
    angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    pattern = (along / pitch % 1) < rng.uniform(0.05, 0.6)
    if rng.uniform() < 0.6:
        row = np.floor(across / pitch)
        pattern = (((along + row * pitch * 0.5) / pitch % 1) < 0.06) | \
            ((across / pitch % 1) < 0.1)
    picture[pattern] = any_colour(rng) * 0.5 + picture[pattern] * 0.5


def clouds(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws noise of several scales between two colours."""
    height, width = picture.shape[:2]
    noise = np.zeros([height, width], np.float32)
    for level in range(2, 7):
        coarse = rng.uniform(-1, 1, [2 ** level, 2 ** level]).astype(np.float32)
        noise += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2 ** level
    share = (noise * 4 * rng.uniform(0.5, 1.5) + 0.5).clip(0, 1)[..., None]
    picture += share * (any_colour(rng) - picture)


def lights(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws discs of light, like lamps out of focus."""
    picture *= rng.uniform(0.3, 0.8)
    canvas = Canvas(picture.shape[1], picture.shape[0])
    for _ in range(rng.randint(10, 40)):
        radius = canvas.width * rng.uniform(0.01, 0.09)
        disc = canvas.ellipse(rng.uniform(size=2) * [canvas.width, canvas.height],
                              [radius, radius])
        canvas.paint(cv2.convertScaleAbs(disc, alpha=rng.uniform(0.2, 0.9)), any_colour(rng))
    _lay(picture, canvas)


def things(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws ovals and polygons in any colour, those of skin and hair included."""
    canvas = Canvas(picture.shape[1], picture.shape[0], light=draw_lamp(rng))
    size = np.array([canvas.width, canvas.height])
    for _ in range(rng.randint(4, 18)):
        centre, extent = rng.uniform(size=2) * size, canvas.width * rng.uniform(0.04, 0.25)
        if rng.uniform() < 0.5:
            cover = canvas.ellipse(centre, extent * rng.uniform(0.4, 1.3, 2), rng.uniform(0, 180))
        else:
            corners = np.sort(rng.uniform(0, 2 * np.pi, rng.randint(3, 7)))
            cover = canvas.polygon(centre + extent * np.stack(
                [np.cos(corners), np.sin(corners)], axis=1))
        canvas.paint(cover, any_colour(rng))
    _lay(picture, canvas)


def foliage(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws tufts of strands such as grass and branches, which resemble hair."""
    canvas = Canvas(picture.shape[1], picture.shape[0])
    for _ in range(rng.randint(2, 6)):
        count = rng.randint(50, 300)
        middle = rng.uniform(size=2) * [canvas.width, canvas.height]
        roots = middle + rng.normal(0, canvas.width * 0.12, [count, 2])
        direction = np.tile(rng.normal(size=[1, 2]), [count, 1])
        strands = draw_strands(rng, roots, direction, canvas.width * rng.uniform(0.05, 0.3),
                               rng.uniform(-0.3, 0.6), rng.uniform(0, 1))
        canvas.paint(canvas.lines(strands, rng.randint(1, 8)), any_colour(rng))
    _lay(picture, canvas)


def room(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws what hangs and stands in a room. Seats come up from below, as shoulders do."""
    canvas = Canvas(picture.shape[1], picture.shape[0], light=draw_lamp(rng))
    for paint in rng.permutation([paint_shelves, paint_board, paint_curtain])[:rng.randint(3)]:
        paint(canvas, rng)
    for _ in range(rng.randint(4)):
        paint_seat(canvas, rng)
    _lay(picture, canvas)


def paint_shelves(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Paints boards with books."""
    left, top, width, height = _place(canvas, rng)
    canvas.paint(canvas.polygon(_rectangle(left, top, width, height)), any_colour(rng))
    pitch = height / rng.randint(2, 6)
    books = [any_colour(rng) for _ in range(6)]
    for base in np.arange(top + pitch, top + height + 1, pitch):
        x = left
        while x < left + width * 0.97:
            thickness = pitch * rng.uniform(0.08, 0.3)
            tall = pitch * rng.uniform(0.5, 0.85)
            if rng.uniform() < 0.85:
                book = _rectangle(x, base - tall, min(thickness, left + width - x), tall)
                canvas.paint(canvas.polygon(book), books[rng.randint(6)] * rng.uniform(0.6, 1.2))
            x += thickness * rng.uniform(1, 1.3)


def paint_board(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Paints a framed picture, a window or a board with writing."""
    left, top, width, height = _place(canvas, rng)
    frame = canvas.width * rng.uniform(0, 0.03)
    canvas.paint(canvas.polygon(_rectangle(left - frame, top - frame, width + 2 * frame,
                                           height + 2 * frame)), any_colour(rng))
    canvas.paint(canvas.polygon(_rectangle(left, top, width, height)), any_colour(rng))
    rows, ink = rng.randint(1, 12), any_colour(rng)
    at = np.linspace(0, 1, 40)
    for row in range(rows):
        middle = top + height * (row + 0.5) / rows
        zigzag = rng.normal(0, 0.2 * height / rows * rng.uniform(), 40)
        writing = np.stack([left + width * (0.05 + at * rng.uniform(0.4, 0.9)), middle + zigzag],
                           axis=1)
        canvas.paint(canvas.lines(writing[np.newaxis], rng.randint(1, 8)), ink)


def paint_curtain(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Paints cloth that hangs in folds."""
    left, _, width, _ = _place(canvas, rng)
    x = np.arange(canvas.width, dtype=np.float32)
    folds = np.sin(2 * np.pi * x / (canvas.width * rng.uniform(0.02, 0.12)) +
                   3 * np.sin(x / canvas.width * rng.uniform(2, 20)))
    shade = (1 + rng.uniform(0.05, 0.4) * folds)[np.newaxis, :, np.newaxis]
    coverage = canvas.polygon(_rectangle(left, 0, width, canvas.height))
    canvas.paint(coverage, draw_cloth(canvas, rng) * shade)


def paint_seat(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Paints the upholstered back of a chair, a sofa or a car seat."""
    half = canvas.width * rng.uniform(0.1, 0.4)
    x, top = canvas.width * rng.uniform(-0.1, 1.1), canvas.height * rng.uniform(0.25, 0.9)
    edge, slant = half * rng.uniform(0.2, 1), half * rng.uniform(-0.3, 0.3)
    bottom = canvas.height * 1.5
    cloth = draw_cloth(canvas, rng)
    rows, columns = np.mgrid[:canvas.height, :canvas.width].astype(np.float32)
    bulge = ((columns - x) / half) ** 2 + ((rows - top) / (2 * half) - 0.5) ** 2
    cloth *= (1 - rng.uniform(0, 0.35) * bulge).clip(0.3, 1)[..., np.newaxis]
    back = np.array([[x - half, top + edge], [x - half, top], [x - half + edge, top],
                     [x + half - edge, top], [x + half, top], [x + half, top + edge],
                     [x + half + slant, bottom], [x - half + slant, bottom]])
    canvas.paint(canvas.polygon(smooth(back)), cloth)
    if rng.uniform() < 0.4:     # a head-rest
        narrow, high = half * rng.uniform(0.3, 0.6), half * rng.uniform(0.4, 0.9)
        rest = _rectangle(x - narrow, top - 0.7 * high, 2 * narrow, 1.2 * high)
        canvas.paint(canvas.polygon(smooth(rest)), cloth)
    if rng.uniform() < 0.5:
        seams = [[[x + side * half, top + edge / 2], [x + side * half + slant, bottom]]
                 for side in rng.uniform(-0.8, 0.8, rng.randint(1, 4))]
        canvas.paint(canvas.lines(np.array(seams), rng.randint(1, 5)), cloth * 0.6)


def _place(canvas: Canvas, rng: np.random.RandomState) -> Tuple[float, float, float, float]:
    """Draws a rectangle on the wall: left, top, width and height in pixels."""
    width, height = canvas.width * rng.uniform(0.2, 0.9), canvas.height * rng.uniform(0.2, 0.9)
    return (rng.uniform(-0.3, 1) * (canvas.width - width / 2),
            rng.uniform(-0.1, 0.8) * (canvas.height - height / 2), width, height)


def _rectangle(left: float, top: float, width: float, height: float) -> np.ndarray:
    """Returns the corners `[4, 2]` of a rectangle."""
    return np.array([[left, top], [left + width, top], [left + width, top + height],
                     [left, top + height]])


def _lay(picture: np.ndarray, canvas: Canvas) -> None:
    picture *= 1 - canvas.alpha[..., None]
    picture += canvas.premultiplied
