"""Paints people in layers, from the hair behind the shoulders to the glasses."""

import dataclasses
from typing import Sequence, Tuple

import cv2
import numpy as np

from mmnet.datasets.canvas import (HAIR, SKIN, SUPERSAMPLING, Canvas, draw_cloth, draw_strands,
                                   palette_colour, smooth)


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
    skin = palette_colour(rng, SKIN)
    hair = palette_colour(rng, HAIR) if rng.uniform() < 0.9 else rng.uniform(0.1, 0.9, 3)
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

    torso = smooth(np.concatenate([side(-1)[::-1], side(1)]))
    cloth = draw_cloth(canvas, rng)
    canvas.paint(canvas.polygon(torso), cloth)
    neck_shape = np.array([[centre - neck, chin - radius * 0.5],
                           [centre - neck * 1.1, shoulder + radius * 0.05],
                           [centre, shoulder + radius * rng.uniform(0.2, 0.9)],
                           [centre + neck * 1.1, shoulder + radius * 0.05],
                           [centre + neck, chin - radius * 0.5]])
    canvas.paint(canvas.polygon(neck_shape), skin * 0.85)
    if rng.uniform() < 0.35:    # a collar
        collar = canvas.lines(neck_shape[None, 1:4], int(radius * rng.uniform(0.1, 0.25)))
        canvas.paint(collar, palette_colour(rng, cloth[-1, :2]) * rng.uniform(0.4, 1.2))
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
        strands = draw_strands(rng, roots, np.tile([[0.0, 1.0]], [500, 1]),
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
        canvas.paint(canvas.polygon(smooth(head.at(curtain))), hair * 0.8)
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
    cloth = draw_cloth(canvas, rng)
    top, brim = rng.uniform(1.5, 1.9), rng.uniform(1.05, 1.9)
    crown = np.array([[-1.05, -0.45], [-1.08, -0.9], [-0.75, -top], [0.75, -top], [1.08, -0.9],
                      [1.05, -0.45]])
    canvas.paint(canvas.polygon(smooth(head.at(crown))), cloth)
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
    strands = draw_strands(rng, roots, directions, length, gravity, curl)
    for share in np.array_split(strands, 4):
        tone = rng.uniform(0.7, 1.3)
        cover = cv2.convertScaleAbs(canvas.lines(share), alpha=rng.uniform(0.6, 1.0))
        canvas.paint(cover, hair * tone)
