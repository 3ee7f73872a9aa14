"""Draws portraits with exact alpha mattes, hair included, for training without photos.

    portrait = draw_portrait(np.random.RandomState(0), width=192, height=256)

A person is painted in layers, from the hair behind the shoulders to the glasses. Every layer has a
colour and a coverage, so alpha, foreground and background are known exactly, and the image is
Equation 1 of them. Only shape tells the person from the background: skin, hair and cloth colours,
blobs and strands occur behind people, too.
"""

import dataclasses
from typing import Callable, List, Optional, Sequence, Tuple

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


@dataclasses.dataclass(frozen=True)
class Portrait:
    """A drawn photo and its parts, float32 in [0, 1].

    Attributes:
        image: alpha * foreground + (1 - alpha) * background, `[H, W, 3]`.
        alpha: `[H, W]`.
        foreground: the person's own colours, black where alpha is 0, `[H, W, 3]`.
        background: `[H, W, 3]`.
    """
    image: np.ndarray
    alpha: np.ndarray
    foreground: np.ndarray
    background: np.ndarray


def draw_portrait(rng: np.random.RandomState, width: int, height: int) -> Portrait:
    """Draws a random person on a random background.

    Args:
        rng: the source of all randomness.
        width, height: of the image, in pixels.

    Returns:
        the image and its parts. The parts include the camera's noise, so Equation 1 holds exactly.
    """
    size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
    person = Canvas(*size, light=_lamp(rng))
    paint_person(person, rng)
    premultiplied, alpha, background = (
        cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA)
        for each in (person.premultiplied, person.alpha, draw_background(rng, *size)))

    if rng.uniform() < 0.5:     # a lens that is slightly out of focus
        sigma = rng.uniform(0.3, 0.8)
        premultiplied, alpha = (cv2.GaussianBlur(each, (0, 0), sigma)
                                for each in (premultiplied, alpha))
    foreground = premultiplied / np.maximum(alpha, 1e-3)[..., None]
    # Alphas within half an 8-bit step of 0 or 1 become 0 or 1.
    alpha[alpha < 1 / 510] = 0
    alpha[alpha > 1 - 1 / 510] = 1
    exposure = rng.uniform(0.8, 1.15)
    noise = rng.normal(0, rng.uniform(0.005, 0.03), background.shape)
    foreground = np.where(alpha[..., None] > 0, (foreground * exposure + noise).clip(0, 1), 0)
    background = (background * exposure + noise).clip(0, 1)
    image = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    return Portrait(*(each.astype(np.float32) for each in (image, alpha, foreground, background)))


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


# --- the person ---

@dataclasses.dataclass(frozen=True)
class Head:
    """The place of the head: centre, half axes, tilt in radians."""
    centre: np.ndarray
    axes: np.ndarray
    tilt: float

    def at(self, points: np.ndarray) -> np.ndarray:
        """Maps the head's own coordinates, where it is the unit circle, to the canvas's."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        return self.centre + (points * self.axes).dot(np.array([[cos, sin], [-sin, cos]]))

    def oval(self, canvas: Canvas, x: float, y: float, width: float, height: float) -> np.ndarray:
        """Returns the coverage of an ellipse in the head's own coordinates."""
        return canvas.ellipse(self.at(np.array([x, y])), self.axes * [width, height],
                              np.degrees(self.tilt))


def paint_person(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Paints head, hair, neck, shoulders and arms, roughly facing the camera."""
    radius = canvas.width * rng.uniform(0.14, 0.23)
    head = Head(np.array([canvas.width * rng.uniform(0.36, 0.64),
                          canvas.height * rng.uniform(0.30, 0.46)]),
                radius * np.array([rng.uniform(0.82, 1.0), rng.uniform(1.15, 1.35)]),
                rng.normal(0, 0.12))
    skin = _between(rng, SKIN)
    hair = _between(rng, HAIR) if rng.uniform() < 0.9 else rng.uniform(0.1, 0.9, 3)
    style = [short_hair, long_hair, curly_hair, hair_in_a_bun, no_hair][
        rng.choice(5, p=[0.32, 0.32, 0.16, 0.12, 0.08])]

    style(canvas, rng, head, hair, behind=True)
    shoulders, cloth = paint_shoulders(canvas, rng, head, radius, skin)
    # Most arms hang down, hidden by the torso. A raised one is behind the head or in front of it.
    raised = [side for side in range(2) if rng.uniform() < 0.35]
    before = rng.uniform() < 0.5
    if not before:
        paint_arms(canvas, rng, shoulders, raised, radius, cloth, skin)
    paint_face(canvas, rng, head, skin, hair)
    style(canvas, rng, head, hair, behind=False)
    if before:
        paint_arms(canvas, rng, shoulders, raised, radius, cloth, skin)
    if rng.uniform() < 0.25:
        paint_glasses(canvas, rng, head)
    if rng.uniform() < 0.12:
        paint_hat(canvas, rng, head)


def paint_shoulders(canvas: Canvas, rng: np.random.RandomState, head: Head, radius: float,
                    skin: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Paints neck, torso and clothes; returns both shoulders `[2, 2]` and the cloth `[H, W, 3]`."""
    centre, bottom = head.centre[0] + rng.normal(0, 0.1) * radius, canvas.height * 1.3
    chin = head.centre[1] + head.axes[1]
    shoulder = chin + radius * rng.uniform(0.25, 0.6)
    half = radius * rng.uniform(1.7, 2.6)
    drop = radius * rng.uniform(0.3, 0.8)
    neck = radius * rng.uniform(0.42, 0.6)
    tilt = radius * rng.normal(0, 0.12)

    def side(sign: float) -> np.ndarray:
        return np.array([[centre + sign * neck, shoulder - 0.25 * radius],
                         [centre + sign * half * 0.55, shoulder + 0.1 * drop + sign * tilt],
                         [centre + sign * half * 0.9, shoulder + drop * 0.7 + sign * tilt],
                         [centre + sign * half, shoulder + drop * 1.9 + sign * tilt],
                         [centre + sign * half * rng.uniform(0.95, 1.12), bottom]])

    torso = _smooth(np.concatenate([side(-1)[::-1], side(1)]))
    cloth = _cloth(canvas, rng)
    canvas.paint(canvas.polygon(torso), cloth)
    neck_shape = np.array([[centre - neck, chin - radius * 0.5],
                           [centre - neck * 1.1, shoulder + radius * 0.05],
                           [centre, shoulder + radius * rng.uniform(0.2, 0.9)],
                           [centre + neck * 1.1, shoulder + radius * 0.05],
                           [centre + neck, chin - radius * 0.5]])
    canvas.paint(canvas.polygon(neck_shape), skin * 0.85)
    if rng.uniform() < 0.35:    # a collar
        collar = canvas.lines(neck_shape[None, 1:4], int(radius * rng.uniform(0.1, 0.25)))
        canvas.paint(collar, _between(rng, cloth[-1, :2]) * rng.uniform(0.4, 1.2))
    return np.array([[centre + sign * half * 0.75, shoulder + drop + sign * tilt]
                     for sign in (-1, 1)]), cloth


def paint_arms(canvas: Canvas, rng: np.random.RandomState, shoulders: np.ndarray,
               sides: Sequence[int], radius: float, cloth: np.ndarray, skin: np.ndarray) -> None:
    """Paints arms that are bent, raised or stretched out; a hand may come near the camera.

    Args:
        canvas: of the person.
        rng: the source of all randomness.
        shoulders: `[2, 2]`, as `paint_shoulders` returns them.
        sides: which of the shoulders have such an arm.
        radius: of the head, in pixels.
        cloth: of the sleeves, `[H, W, 3]`.
        skin: a colour.
    """
    for side in sides:
        outwards = 2 * side - 1
        upwards, bend = rng.uniform(-1.3, 0.8), rng.uniform(-np.pi, np.pi)
        elbow = shoulders[side] + radius * rng.uniform(1.2, 2.2) * np.array(
            [outwards * np.cos(upwards), np.sin(upwards)])
        direction = np.array([np.cos(bend), np.sin(bend)])
        wrist = elbow + radius * rng.uniform(1.2, 2.2) * direction
        nearness = rng.uniform(0.8, 1.8)    # of the hand to the camera
        widths = radius * np.array([0.5, 0.4, 0.27 * nearness])
        palm = wrist + 0.4 * radius * nearness * direction
        fingers = np.linspace(-0.5, 0.5, 5) + rng.normal(0, 0.1)
        tips = palm + radius * nearness * rng.uniform(0.3, 0.9) * np.stack(
            [np.cos(bend + fingers), np.sin(bend + fingers)], axis=1)
        canvas.paint(canvas.lines(np.stack([np.broadcast_to(palm, tips.shape), tips], axis=1),
                                  max(1, int(0.17 * radius * nearness))), skin * 0.95)
        canvas.paint(canvas.ellipse(palm, radius * nearness * np.array([0.42, 0.33]),
                                    np.degrees(bend)), skin)
        sleeves = rng.randint(3)            # none, to the elbow, to the wrist
        _paint_limb(canvas, elbow, wrist, widths[1:], cloth * 0.95 if sleeves == 2 else skin)
        _paint_limb(canvas, shoulders[side], elbow, widths[:2], cloth if sleeves else skin * 0.95)


def _paint_limb(canvas: Canvas, start: np.ndarray, end: np.ndarray, widths: np.ndarray,
                colour: np.ndarray) -> None:
    """Paints a part of an arm that is round at both ends and has a radius at each."""
    x, y = end - start
    across = np.array([-y, x]) / max(np.hypot(x, y), 1e-6)
    outline = np.array([start - across * widths[0], end - across * widths[1],
                        end + across * widths[1], start + across * widths[0]])
    coverage = canvas.polygon(outline)
    for joint, width in ((start, widths[0]), (end, widths[1])):
        coverage = np.maximum(coverage, canvas.ellipse(joint, [width, width]))
    canvas.paint(coverage, colour)


def paint_face(canvas: Canvas, rng: np.random.RandomState, head: Head, skin: np.ndarray,
               hair: np.ndarray) -> None:
    """Paints ears, face and features."""
    for sign in (-1, 1):
        canvas.paint(head.oval(canvas, sign * 0.98, 0.05, 0.16, 0.2), skin * 0.9)
    jaw = rng.uniform(0.75, 1.0)
    angle = np.linspace(0, 2 * np.pi, 60)
    outline = np.stack([np.cos(angle) * np.where(np.sin(angle) > 0,
                                                 1 - (1 - jaw) * np.sin(angle), 1),
                        np.sin(angle)], axis=1)
    canvas.paint(canvas.polygon(head.at(outline)), skin)
    iris, look = rng.uniform(0.05, 0.4, 3), rng.uniform(-0.05, 0.05)
    for sign in (-1, 1):
        canvas.paint(head.oval(canvas, sign * 0.55, 0.3, 0.25, 0.2) // 6,
                     skin * [1.05, 0.75, 0.7])
        x = sign * 0.38
        canvas.paint(head.oval(canvas, x, -0.02, 0.17, 0.075), [.95, .94, .92])
        canvas.paint(head.oval(canvas, x + look, -0.02, 0.08, 0.07), iris)
        brow = head.at(np.array([[x - 0.2, -0.2], [x, -0.27], [x + 0.2, -0.2]]))
        canvas.paint(canvas.lines(brow[None], max(1, int(head.axes[0] * 0.06))), hair * 0.8)
    nose = head.at(np.array([[-0.02, 0.0], [-0.1, 0.3], [0.1, 0.32]]))
    canvas.paint(canvas.lines(nose[None], max(1, int(head.axes[0] * 0.03))), skin * 0.7)
    canvas.paint(head.oval(canvas, 0, 0.58, rng.uniform(0.2, 0.35), rng.uniform(0.04, 0.1)),
                 skin * [0.9, 0.55, 0.55])
    if rng.uniform() < 0.2:     # a beard
        along = rng.uniform(0.1 * np.pi, 0.9 * np.pi, 500)
        roots = np.stack([np.cos(along) * jaw, np.sin(along)], axis=1)
        roots = head.at(roots * rng.uniform(0.72, 1.0, [500, 1]))
        strands = _strands(rng, roots, np.tile([[0.0, 1.0]], [500, 1]),
                           head.axes[0] * rng.uniform(0.1, 0.3), gravity=0.2, curl=0.2)
        canvas.paint(canvas.lines(strands, SUPERSAMPLING), hair)


def no_hair(canvas: Canvas, rng: np.random.RandomState, head: Head, hair: np.ndarray,
            behind: bool) -> None:
    """Paints nothing: a bald head."""


def short_hair(canvas: Canvas, rng: np.random.RandomState, head: Head, hair: np.ndarray,
               behind: bool) -> None:
    """Paints a cap of hair with strands that stand off it a little."""
    if not behind:
        _cap(canvas, rng, head, hair, thickness=rng.uniform(1.03, 1.15))
        _fringe(canvas, rng, head, hair, count=400, length=rng.uniform(0.06, 0.25),
                span=200, gravity=rng.uniform(-0.1, 0.3), curl=rng.uniform(0, 0.3))


def long_hair(canvas: Canvas, rng: np.random.RandomState, head: Head, hair: np.ndarray,
              behind: bool) -> None:
    """Paints hair that falls beside the face; the wind lifts some of it."""
    if behind:
        length = rng.uniform(0.8, 2.4)
        width = rng.uniform(1.15, 1.5)
        curtain = np.array([[-0.8, -0.9], [-1.1, -0.3], [-width, 0.6], [-width, length],
                            [width, length], [width, 0.6], [1.1, -0.3], [0.8, -0.9]])
        canvas.paint(canvas.polygon(_smooth(head.at(curtain))), hair * 0.8)
        edge = np.concatenate([np.linspace([-1.1, -0.6], [-width, length], 40),
                               np.linspace([-width, length], [width, length], 40),
                               np.linspace([width, length], [1.1, -0.6], 40)])
        roots = edge[rng.randint(len(edge), size=700)] * rng.uniform(0.85, 1, [700, 1])
        outward = np.stack([np.sign(roots[:, 0]) * 0.6, np.full(700, 0.7)], axis=1)
        _paint_strands(canvas, rng, head.at(roots), outward,
                       head.axes[0] * rng.uniform(0.2, 0.6), hair,
                       gravity=rng.uniform(0.1, 0.7), curl=rng.uniform(0, 0.25))
    else:
        _cap(canvas, rng, head, hair, thickness=rng.uniform(1.05, 1.2))
        _fringe(canvas, rng, head, hair, count=200, length=rng.uniform(0.1, 0.45), span=230,
                gravity=rng.uniform(0.3, 0.9), curl=rng.uniform(0, 0.3))


def curly_hair(canvas: Canvas, rng: np.random.RandomState, head: Head, hair: np.ndarray,
               behind: bool) -> None:
    """Paints a round mass of curls."""
    size = rng.uniform(1.2, 1.6)
    if behind:
        canvas.paint(head.oval(canvas, 0, -0.25, size, size * 0.85), hair * 0.8)
        angle = rng.uniform(0, 2 * np.pi, 900)
        roots = np.stack([np.cos(angle) * size, np.sin(angle) * size * 0.85 - 0.25], axis=1)
        _paint_strands(canvas, rng, head.at(roots * rng.uniform(0.8, 1, [900, 1])),
                       roots, head.axes[0] * rng.uniform(0.12, 0.35), hair,
                       gravity=0.0, curl=rng.uniform(0.5, 1.0))
    else:
        _cap(canvas, rng, head, hair, thickness=1.15)
        _fringe(canvas, rng, head, hair, count=400, length=rng.uniform(0.1, 0.25), span=210,
                gravity=0.0, curl=rng.uniform(0.5, 1.0))


def hair_in_a_bun(canvas: Canvas, rng: np.random.RandomState, head: Head, hair: np.ndarray,
                  behind: bool) -> None:
    """Paints hair combed back into a bun on top, with a few loose strands."""
    if behind:
        x, radius = rng.normal(0, 0.3), rng.uniform(0.3, 0.5)
        canvas.paint(head.oval(canvas, x, -1.15, radius, radius * 0.9), hair * 0.9)
        angle = rng.uniform(0, 2 * np.pi, 150)
        roots = np.stack([x + np.cos(angle) * radius, -1.15 + np.sin(angle) * radius], axis=1)
        _paint_strands(canvas, rng, head.at(roots), roots - [x, -1.15],
                       head.axes[0] * 0.2, hair, gravity=0.3, curl=0.5)
    else:
        _cap(canvas, rng, head, hair, thickness=1.05)
        _fringe(canvas, rng, head, hair, count=80, length=rng.uniform(0.1, 0.4), span=220,
                gravity=0.4, curl=0.4)


def paint_glasses(canvas: Canvas, rng: np.random.RandomState, head: Head) -> None:
    """Paints a frame, and sometimes dark lenses."""
    width, height = rng.uniform(0.26, 0.34), rng.uniform(0.13, 0.22)
    thickness = max(1, int(head.axes[0] * rng.uniform(0.03, 0.08)))
    colour = rng.uniform(0, 0.4, 3)
    angle = np.linspace(0, 2 * np.pi, 30)
    dark = rng.uniform() < 0.3
    for x in (-0.38, 0.38):
        if dark:
            canvas.paint(head.oval(canvas, x, 0, width, height), [.06, .06, .07])
        rim = np.stack([x + np.cos(angle) * width, np.sin(angle) * height], axis=1)
        canvas.paint(canvas.lines(head.at(rim)[None], thickness), colour)
    bridge = np.array([[-0.38 + width, 0], [0.38 - width, 0]])
    temples = [np.array([[sign * (0.38 + width), 0], [sign, -0.05]]) for sign in (-1, 1)]
    for line in [bridge] + temples:
        canvas.paint(canvas.lines(head.at(line)[None], thickness), colour)


def paint_hat(canvas: Canvas, rng: np.random.RandomState, head: Head) -> None:
    """Paints a hat, its brim narrow or wide."""
    cloth = _cloth(canvas, rng)
    top, brim = rng.uniform(1.5, 1.9), rng.uniform(1.05, 1.9)
    crown = np.array([[-1.05, -0.45], [-1.08, -0.9], [-0.75, -top], [0.75, -top], [1.08, -0.9],
                      [1.05, -0.45]])
    canvas.paint(canvas.polygon(_smooth(head.at(crown))), cloth)
    canvas.paint(head.oval(canvas, 0, -0.5, brim, 0.17), cloth * 0.8)


def _cap(canvas: Canvas, rng: np.random.RandomState, head: Head, hair: np.ndarray,
         thickness: float) -> None:
    """Paints the hair that covers the skull, with a random hairline."""
    angle = np.linspace(np.pi * 1.06, np.pi * 1.94, 30)
    outer = np.stack([np.cos(angle), np.sin(angle)], axis=1) * thickness
    inner = np.array([[0.95, 0.1], [0.8, rng.uniform(-0.6, -0.3)],
                      [rng.uniform(-0.4, 0.4), rng.uniform(-0.9, -0.5)],
                      [-0.8, rng.uniform(-0.6, -0.3)], [-0.95, 0.1]])
    canvas.paint(canvas.polygon(head.at(np.concatenate([outer, inner]))), hair)
    # Lighter and darker strands run from the parting outwards.
    parting = np.array([rng.uniform(-0.5, 0.5), -0.85])
    ends = outer[rng.randint(len(outer), size=160)] * [1, 0.98]
    lines = np.stack([parting + (ends - parting) * at + [0, -0.12 * np.sin(np.pi * at)]
                      for at in np.linspace(0.1, 1, 6)], axis=1)
    for share, tone in zip(np.array_split(head.at(lines), 3), (0.75, 1.15, 1.35)):
        canvas.paint(canvas.lines(share) // 2, hair * tone)


def _fringe(canvas: Canvas, rng: np.random.RandomState, head: Head, hair: np.ndarray, count: int,
            length: float, span: float, gravity: float, curl: float) -> None:
    """Paints strands around the skull, over `span` degrees centred at the top."""
    angle = np.radians(rng.uniform(-span / 2, span / 2, count) - 90)
    roots = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    _paint_strands(canvas, rng, head.at(roots * rng.uniform(0.95, 1.1, [count, 1])), roots,
                   head.axes[0] * length, hair, gravity, curl)


def _paint_strands(canvas: Canvas, rng: np.random.RandomState, roots: np.ndarray,
                   directions: np.ndarray, length: float, hair: np.ndarray, gravity: float,
                   curl: float) -> None:
    """Paints strands in four shades, a layer for each."""
    strands = _strands(rng, roots, directions, length, gravity, curl)
    for share in np.array_split(strands, 4):
        tone = rng.uniform(0.7, 1.3)
        cover = cv2.convertScaleAbs(canvas.lines(share), alpha=rng.uniform(0.6, 1.0))
        canvas.paint(cover, hair * tone)


def _strands(rng: np.random.RandomState, roots: np.ndarray, directions: np.ndarray, length: float,
             gravity: float, curl: float) -> np.ndarray:
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


# --- the world around ---

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
    corners = np.stack([_any_colour(rng) for _ in range(4)]).reshape([2, 2, 3])
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
    picture[pattern] = _any_colour(rng) * 0.5 + picture[pattern] * 0.5


def clouds(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws noise of several scales between two colours."""
    height, width = picture.shape[:2]
    noise = np.zeros([height, width], np.float32)
    for level in range(2, 7):
        coarse = rng.uniform(-1, 1, [2 ** level, 2 ** level]).astype(np.float32)
        noise += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2 ** level
    share = (noise * 4 * rng.uniform(0.5, 1.5) + 0.5).clip(0, 1)[..., None]
    picture += share * (_any_colour(rng) - picture)


def lights(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws discs of light, like lamps out of focus."""
    picture *= rng.uniform(0.3, 0.8)
    canvas = Canvas(picture.shape[1], picture.shape[0])
    for _ in range(rng.randint(10, 40)):
        radius = canvas.width * rng.uniform(0.01, 0.09)
        disc = canvas.ellipse(rng.uniform(size=2) * [canvas.width, canvas.height],
                              [radius, radius])
        canvas.paint(cv2.convertScaleAbs(disc, alpha=rng.uniform(0.2, 0.9)), _any_colour(rng))
    _lay(picture, canvas)


def things(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws ovals and polygons in any colour, those of skin and hair included."""
    canvas = Canvas(picture.shape[1], picture.shape[0], light=_lamp(rng))
    size = np.array([canvas.width, canvas.height])
    for _ in range(rng.randint(4, 18)):
        centre, extent = rng.uniform(size=2) * size, canvas.width * rng.uniform(0.04, 0.25)
        if rng.uniform() < 0.5:
            cover = canvas.ellipse(centre, extent * rng.uniform(0.4, 1.3, 2), rng.uniform(0, 180))
        else:
            corners = np.sort(rng.uniform(0, 2 * np.pi, rng.randint(3, 7)))
            cover = canvas.polygon(centre + extent * np.stack(
                [np.cos(corners), np.sin(corners)], axis=1))
        canvas.paint(cover, _any_colour(rng))
    _lay(picture, canvas)


def foliage(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws tufts of strands such as grass and branches, which resemble hair."""
    canvas = Canvas(picture.shape[1], picture.shape[0])
    for _ in range(rng.randint(2, 6)):
        count = rng.randint(50, 300)
        middle = rng.uniform(size=2) * [canvas.width, canvas.height]
        roots = middle + rng.normal(0, canvas.width * 0.12, [count, 2])
        direction = np.tile(rng.normal(size=[1, 2]), [count, 1])
        strands = _strands(rng, roots, direction, canvas.width * rng.uniform(0.05, 0.3),
                           rng.uniform(-0.3, 0.6), rng.uniform(0, 1))
        canvas.paint(canvas.lines(strands, rng.randint(1, 8)), _any_colour(rng))
    _lay(picture, canvas)


def room(picture: np.ndarray, rng: np.random.RandomState) -> None:
    """Draws what hangs and stands in a room. Seats come up from below, as shoulders do."""
    canvas = Canvas(picture.shape[1], picture.shape[0], light=_lamp(rng))
    for paint in rng.permutation([paint_shelves, paint_board, paint_curtain])[:rng.randint(3)]:
        paint(canvas, rng)
    for _ in range(rng.randint(4)):
        paint_seat(canvas, rng)
    _lay(picture, canvas)


def paint_shelves(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Paints boards with books."""
    left, top, width, height = _place(canvas, rng)
    canvas.paint(canvas.polygon(_rectangle(left, top, width, height)), _any_colour(rng))
    pitch = height / rng.randint(2, 6)
    books = [_any_colour(rng) for _ in range(6)]
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
                                           height + 2 * frame)), _any_colour(rng))
    canvas.paint(canvas.polygon(_rectangle(left, top, width, height)), _any_colour(rng))
    rows, ink = rng.randint(1, 12), _any_colour(rng)
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
    canvas.paint(coverage, _cloth(canvas, rng) * shade)


def paint_seat(canvas: Canvas, rng: np.random.RandomState) -> None:
    """Paints the upholstered back of a chair, a sofa or a car seat."""
    half = canvas.width * rng.uniform(0.1, 0.4)
    x, top = canvas.width * rng.uniform(-0.1, 1.1), canvas.height * rng.uniform(0.25, 0.9)
    edge, slant = half * rng.uniform(0.2, 1), half * rng.uniform(-0.3, 0.3)
    bottom = canvas.height * 1.5
    cloth = _cloth(canvas, rng)
    rows, columns = np.mgrid[:canvas.height, :canvas.width].astype(np.float32)
    bulge = ((columns - x) / half) ** 2 + ((rows - top) / (2 * half) - 0.5) ** 2
    cloth *= (1 - rng.uniform(0, 0.35) * bulge).clip(0.3, 1)[..., np.newaxis]
    back = np.array([[x - half, top + edge], [x - half, top], [x - half + edge, top],
                     [x + half - edge, top], [x + half, top], [x + half, top + edge],
                     [x + half + slant, bottom], [x - half + slant, bottom]])
    canvas.paint(canvas.polygon(_smooth(back)), cloth)
    if rng.uniform() < 0.4:     # a head-rest
        narrow, high = half * rng.uniform(0.3, 0.6), half * rng.uniform(0.4, 0.9)
        rest = _rectangle(x - narrow, top - 0.7 * high, 2 * narrow, 1.2 * high)
        canvas.paint(canvas.polygon(_smooth(rest)), cloth)
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


# --- colours ---

def _any_colour(rng: np.random.RandomState) -> np.ndarray:
    """Draws any colour; one in four is a colour of skin or hair."""
    if rng.uniform() < 0.25:
        return _between(rng, SKIN if rng.uniform() < 0.6 else HAIR)
    # Most things are greyer than uniformly drawn colours.
    colour = rng.uniform(0, 1, 3)
    return colour.mean() + (colour - colour.mean()) * rng.beta(1.2, 1.8)


def _between(rng: np.random.RandomState, palette: np.ndarray) -> np.ndarray:
    """Draws a colour between two neighbours of a palette `[N, 3]`, slightly varied."""
    index, share = rng.randint(len(palette) - 1), rng.uniform()
    colour = palette[index] * share + palette[index + 1] * (1 - share)
    return (colour + rng.normal(0, 0.02, 3)).clip(0, 1)


def _lamp(rng: np.random.RandomState) -> np.ndarray:
    """Draws the brightness in the four corners, as from a lamp on one side."""
    return rng.uniform(0.65, 1.1, [2, 2])


def _cloth(canvas: Canvas, rng: np.random.RandomState) -> np.ndarray:
    """Draws a plain, striped or chequered cloth, `[H, W, 3]`."""
    cloth = np.empty([canvas.height, canvas.width, 3], np.float32)
    cloth[:] = _any_colour(rng)
    kind = rng.randint(4)
    if kind:
        other, pitch = _any_colour(rng), canvas.width * rng.uniform(0.02, 0.1)
        y, x = np.mgrid[:canvas.height, :canvas.width]
        stripes = [(x + y * rng.normal(0, 0.3)) / pitch % 1 < 0.5, y / pitch % 1 < 0.4]
        cloth[stripes[0] ^ stripes[1] if kind == 3 else stripes[kind - 1]] = other
    return cloth


def _smooth(corners: np.ndarray) -> np.ndarray:
    """Smooths a polygon by three rounds of Chaikin's corner cutting."""
    for _ in range(3):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([corners * 0.75 + following * 0.25,
                            corners * 0.25 + following * 0.75], axis=1).reshape([-1, 2])
    return corners
