"""Reads and writes videos and reads a camera; imageio-ffmpeg brings ffmpeg.

    with video.reading('in.mp4') as source, video.writing('out.mp4', source) as write:
        for image in source.images:
            write(255 - image)
"""

import contextlib
import dataclasses
import os
import queue
import re
import subprocess
import threading
import time
from fractions import Fraction
from typing import Any, Callable, Dict, Generator, Iterator, Optional, Tuple, TypeVar

import cv2
import imageio_ffmpeg
import numpy as np

from mmnet import files
from mmnet.errors import UserError

Item = TypeVar('Item')
CAMERA_FPS = 25
# A video may lack this share of the frames that its duration promises, and two frames more. The
# header's duration is rounded, and longer sound extends it.
MISSING_FRAMES = 0.02
# Phones record HDR with these curves, HLG and PQ. White paper (203 cd/m²) and anything brighter
# become white.
HDR_CURVES = ('arib-std-b67', 'smpte2084')
HDR_TO_SDR = 'zscale=pin=bt2020:min=bt2020nc:p=bt709:t=bt709:m=bt709:r=tv:npl=203,format=yuv420p,'
# A video with more lines is HD, and so is one with as many columns.
SD_LINES, HD_COLUMNS = 576, 1280
# Results are encoded as BT.709 and tagged, because players guess untagged colours differently.
BT709 = ['-vf', 'scale=out_color_matrix=bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709',
         '-colorspace', 'bt709']


@dataclasses.dataclass(frozen=True)
class Video:
    """An opened video.

    Attributes:
        size: width and height, upright.
        fps: frames per second.
        frames: about how many there are; None for a camera.
        sound: the file whose sound belongs to it, if any.
        images: the frames, uint8 RGB `[H, W, 3]`.
    """
    size: Tuple[int, int]
    fps: Fraction
    frames: Optional[int]
    sound: Optional[str]
    images: Iterator[np.ndarray]


@contextlib.contextmanager
def reading(path: str) -> Iterator[Video]:
    """Opens a video file.

    Most phones record at a variable rate. Frames are repeated and dropped by their time stamps, so
    that they come at the constant rate `fps` and end with the sound. HDR becomes sRGB, and pixels
    that are not square are stretched.

    Raises:
        UserError: if it cannot be read; while reading, also if it is cut off.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f'{path}: is not a regular file; name a video, or a camera as camera:0')
    # ffmpeg takes what stands before a colon for a protocol.
    source = os.path.abspath(path)
    header = imageio_ffmpeg.read_frames(source)
    try:
        with _as_user_errors(path):
            meta = next(header)
            fps = exact_rate(meta['fps'] or average_rate(source))
    finally:
        header.close()
    reader = imageio_ffmpeg.read_frames(source, output_params=['-vf', _to_rgb(meta, fps)])
    try:
        with _as_user_errors(path):
            size = next(reader)['size']
        frames = int(meta['duration'] * fps)
        yield Video(size, fps, frames or None, source if 'audio_codec' in meta else None,
                    _images(path, reader, size, frames))
    finally:
        reader.close()


def _to_rgb(meta: Dict[str, Any], fps: Fraction) -> str:
    """Returns ffmpeg's filters that make a video's frames steady, square and sRGB.

    Args:
        meta: the video's header, as imageio-ffmpeg reads it. `pix_fmt` also names the range,
            matrix, primaries and curve that the file declares.
        fps: the rate to make.
    """
    pixels, (width, height) = meta['pix_fmt'], meta['source_size']
    hdr = any(curve in pixels for curve in HDR_CURVES)
    # Players take the untagged colours of HD for BT.709, and ffmpeg would not. The matrix comes
    # first, as in `yuv420p(tv, smpte170m/unknown/unknown)`.
    untagged = re.search(r'[( ]unknown/', pixels) or not any(
        name in pixels for name in ('bt', 'smpte', 'fcc', 'gbr'))
    hd = width >= HD_COLUMNS or height > SD_LINES
    matrix = 'bt709' if untagged and hd else 'auto'
    return (f"fps={fps},{HDR_TO_SDR if hdr else ''}"
            "scale=w='if(eq(sar,1),iw,2*round(iw*sar/2))':h=ih"
            f":in_color_matrix={matrix},setsar=1,format=rgb24")


def _images(path: str, reader: Iterator[bytes], size: Tuple[int, int],
            expected: int) -> Iterator[np.ndarray]:
    """Yields a video's frames.

    Raises:
        UserError: at the end, if fewer frames came than expected and the rest is damaged.
    """
    count = 0
    with _as_user_errors(path):
        for frame in reader:
            count += 1
            yield np.frombuffer(frame, np.uint8).reshape([size[1], size[0], 3])
    if count < expected * (1 - MISSING_FRAMES) - 2 and is_damaged(path):
        raise UserError(f'{path}: is cut off or damaged; only {count} of {expected} frames can be '
                        f'read')


def is_damaged(path: str, *flags: str) -> bool:
    """Returns whether ffmpeg reports errors when it decodes a whole video, or reads it otherwise.

    Args:
        path: of the video.
        flags: of ffmpeg; `-c copy` reads the video without decoding it.
    """
    process = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-i', os.path.abspath(path), '-map',
         '0:v:0', *flags, '-f', 'null', '-'],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return process.returncode != 0 or bool(process.stderr.strip())


@contextlib.contextmanager
def _as_user_errors(path: str) -> Iterator[None]:
    try:
        yield
    # A damaged header or frame shows in one of these ways.
    except (IndexError, AttributeError, ValueError, RuntimeError, OSError) as error:
        lines = [line for line in str(error).split('\n') if line and not line.startswith('===')]
        reason = lines[-1].strip() if lines else type(error).__name__
        raise UserError(f'{path}: cannot be read as a video ({reason})')


@contextlib.contextmanager
def camera(number: int) -> Iterator[Video]:
    """Opens a camera, which runs until the user ends it.

    Raises:
        UserError: if there is no camera of this number.
    """
    capture = cv2.VideoCapture(number)
    try:
        there, first = capture.read()
        if not there:
            raise UserError(f'camera:{number}: gives no picture; make sure that it is connected, '
                            f'and that no other program uses it')
        yield Video((first.shape[1], first.shape[0]), Fraction(CAMERA_FPS), None, None,
                    paced(capture, CAMERA_FPS))
    finally:
        capture.release()


def paced(capture: cv2.VideoCapture, fps: float,
          clock: Callable[[], float] = time.monotonic) -> Iterator[np.ndarray]:
    """Yields a camera's frames as RGB at a steady rate.

    A late frame is yielded several times; a frame that comes before its time is left out.
    """
    start, count = clock(), 0
    while True:
        there, frame = capture.read()
        if not there:
            return
        frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        due = max(0, int((clock() - start) * fps) - count)
        for _ in range(due):
            yield frame
        count += due


def ahead(items: Iterator[Item], count: int = 4) -> Generator[Item, None, None]:
    """Makes items in a thread of their own, a few ahead of their use; their order stays.

    Whatever goes wrong in the thread is raised here. The thread ends when this iterator is closed.
    """
    made: 'queue.Queue[Tuple[str, Any]]' = queue.Queue(count)
    closed = threading.Event()

    def put(kind: str, value: Any) -> None:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                return made.put((kind, value), timeout=0.1)

    def make() -> None:
        try:
            for item in items:
                put('item', item)
                if closed.is_set():
                    return
            put('end', None)
        except BaseException as error:
            put('error', error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = made.get()
            if kind == 'error':
                raise value
            if kind == 'end':
                return
            yield value
    finally:
        closed.set()
        thread.join()


def average_rate(path: str) -> float:
    """Counts a video's frames per second; browsers record files that do not name their rate."""
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(path)
    return frames / seconds if seconds else 0.0


def exact_rate(fps: float) -> Fraction:
    """Returns the exact frame rate behind ffmpeg's two decimals: 29.97 is 30000/1001.

    Raises:
        ValueError: for a rate that is not above 0.
    """
    if fps <= 0:
        raise ValueError('it has no frame rate')
    whole = int(round(fps))
    if fps != whole and abs(fps - whole * 1000 / 1001) < 0.006:
        return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(100)


@contextlib.contextmanager
def writing(path: str, video: Video,
            transparent: bool = False) -> Iterator[Callable[[np.ndarray], None]]:
    """Opens a video to write, whole or not at all, with the size, rate and sound of another.

    Yields a function that takes frames: uint8 RGB `[H, W, 3]`, or RGBA `[H, W, 4]` for a
    transparent video. The file is an MP4 with H.264, or a QuickTime file with ProRes 4444, which
    has transparency.

    Raises:
        UserError: if it cannot be written.
    """
    options: Dict[str, Any]
    if transparent:
        options = dict(pix_fmt_in='rgba', codec='prores_ks', pix_fmt_out='yuva444p10le',
                       quality=None)
        container = ['-profile:v', '4444', '-f', 'mov']
    else:
        # Not every player takes H.264 with other pixels than 4:2:0, but those need even sides.
        even = video.size[0] % 2 == 0 and video.size[1] % 2 == 0
        options = dict(pix_fmt_in='rgb24', codec='libx264', quality=6,
                       pix_fmt_out='yuv420p' if even else 'yuv444p')
        # Slower presets save a tenth of the bytes and would take most of the time of a video.
        container = ['-preset', 'veryfast', '-movflags', '+faststart', '-f', 'mp4']
    with files.replacing(path) as partial:
        writer = imageio_ffmpeg.write_frames(
            partial, video.size, fps=float(video.fps), input_params=['-r', str(video.fps)],
            output_params=BT709 + container, macro_block_size=1, ffmpeg_log_level='error',
            audio_path=video.sound, audio_codec='aac' if video.sound else None, **options)

        def write(frame: Optional[np.ndarray]) -> None:
            try:
                writer.send(frame)
            except OSError as error:
                # Unnamed, it would be taken for another result's that is open meanwhile.
                raise UserError(f'{path}: cannot be written ({files.reason(error, partial)})')

        try:
            write(None)
            yield lambda frame: write(np.ascontiguousarray(frame))
        finally:
            writer.close()
        # The writer does not say how ffmpeg ended: a full disk may show only now.
        if is_damaged(partial, '-c', 'copy'):
            raise UserError(f'{path}: ffmpeg could not finish it; is there room on the disk?')
