"""Reads and writes videos and reads a camera; ffmpeg comes with imageio-ffmpeg."""

import contextlib
import logging
import time
from fractions import Fraction
from typing import Callable, Iterator, NamedTuple, Optional, Tuple

import cv2
import imageio_ffmpeg
import numpy as np

from mmnet import files
from mmnet.errors import UserError

CAMERA_FPS = 25
# It warns of frames that are turned upright, which is what is wanted.
logging.getLogger('imageio_ffmpeg').setLevel(logging.ERROR)


class Video(NamedTuple):
    """An opened video."""
    size: Tuple[int, int]           # width, height, upright
    fps: Fraction
    frames: Optional[int]           # about how many there are; None for a camera
    sound: Optional[str]            # the file whose sound belongs to it
    images: Iterator[np.ndarray]    # uint8 RGB [H, W, 3]


@contextlib.contextmanager
def reading(path: str) -> Iterator[Video]:
    """Opens a video file.

    Raises:
        UserError: if it cannot be read.
    """
    reader = imageio_ffmpeg.read_frames(path)
    try:
        with _as_user_errors(path):
            meta = next(reader)
            fps = exact_rate(meta['fps'])
        yield Video(meta['size'], fps, int(meta['duration'] * fps) or None,
                    path if 'audio_codec' in meta else None, _images(path, reader, meta['size']))
    finally:
        reader.close()


def _images(path: str, reader: Iterator[bytes], size: Tuple[int, int]) -> Iterator[np.ndarray]:
    with _as_user_errors(path):
        for frame in reader:
            yield np.frombuffer(frame, np.uint8).reshape([size[1], size[0], 3])


@contextlib.contextmanager
def _as_user_errors(path: str) -> Iterator[None]:
    try:
        yield
    # What the header or a frame lacks shows in one of these ways.
    except (IndexError, AttributeError, ValueError, RuntimeError, OSError) as error:
        lines = [line for line in str(error).split('\n') if line and not line.startswith('===')]
        raise UserError('{}: cannot be read as a video ({})'.format(
            path, lines[-1].strip() if lines else type(error).__name__))


@contextlib.contextmanager
def camera(number: int) -> Iterator[Video]:
    """Opens a camera; it goes on until the user ends it.

    Raises:
        UserError: if there is none of this number.
    """
    capture = cv2.VideoCapture(number)
    try:
        there, first = capture.read()
        if not there:
            raise UserError(f'camera:{number}: gives no picture; is it connected, and free?')
        yield Video((first.shape[1], first.shape[0]), Fraction(CAMERA_FPS), None, None,
                    paced(capture, CAMERA_FPS))
    finally:
        capture.release()


def paced(capture: cv2.VideoCapture, fps: float,
          clock: Callable[[], float] = time.time) -> Iterator[np.ndarray]:
    """Yields a camera's frames at a steady rate, RGB; where it is late, the same array again."""
    start, count = clock(), 0
    while True:
        there, frame = capture.read()
        if not there:
            return
        frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        due = max(1, int((clock() - start) * fps) - count)
        for _ in range(due):
            yield frame
        count += due


def exact_rate(fps: float) -> Fraction:
    """The frame rate that ffmpeg's two decimals stand for: 29.97 is 30000/1001.

    Raises:
        ValueError: for none.
    """
    if fps <= 0:
        raise ValueError('it has no frame rate')
    whole = int(round(fps))
    if fps != whole and abs(fps - whole * 1000 / 1001) < 0.006:
        return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(100)


@contextlib.contextmanager
def writing(path: str, video: Video, transparent: bool = False) -> Iterator:
    """Opens a video to write, whole or not at all, with the size, rate and sound of another.

    Yields a function that takes frames: uint8 RGB `[H, W, 3]`, or RGBA `[H, W, 4]` for a
    transparent one. MP4 with H.264, or QuickTime with ProRes 4444, which has transparency.

    Raises:
        UserError: if it cannot be written.
    """
    if transparent:
        settings = dict(pix_fmt_in='rgba', codec='prores_ks', pix_fmt_out='yuva444p10le',
                        quality=None)
        container = ['-profile:v', '4444', '-f', 'mov']
    else:
        # H.264 of other pixels than 4:2:0 is not played everywhere, but that needs even sides.
        even = video.size[0] % 2 == 0 and video.size[1] % 2 == 0
        settings = dict(pix_fmt_in='rgb24', codec='libx264', quality=6,
                        pix_fmt_out='yuv420p' if even else 'yuv444p')
        container = ['-movflags', '+faststart', '-f', 'mp4']
    with files.replacing(path) as partial:
        writer = imageio_ffmpeg.write_frames(
            partial, video.size, fps=float(video.fps), input_params=['-r', str(video.fps)],
            output_params=container, macro_block_size=1, ffmpeg_log_level='error',
            audio_path=video.sound, audio_codec='aac' if video.sound else None, **settings)
        try:
            writer.send(None)
            yield lambda frame: writer.send(np.ascontiguousarray(frame))
        finally:
            writer.close()
