"""Cuts people out of photos, videos and a camera's picture with a trained network.

    scripts/matte.py --model model.tflite photo.jpg folder/ clip.mp4 --output_dir cutouts
    scripts/matte.py --model TRAIN_DIR me.jpg --write composite --background beach.jpg \\
        --output_dir composites

`scripts/matte.py` and the installed command `mmnet-matte` run `command`.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
import threading
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from mmnet import cli, compositing, environments, files, inference, pictures, steady, video
from mmnet.data import decode
from mmnet.errors import UserError
from mmnet.runtime import following

VIDEOS = ('.mp4', '.mov', '.m4v', '.avi', '.mkv', '.webm', '.3gp', '.mts', '.m2ts', '.mpg', '.mpeg',
          '.wmv', '.flv', '.ogv')
PHOTO_FILES = {'cutout': '.png', 'alpha': '.png', 'composite': '.jpg'}
VIDEO_FILES = {'cutout': '.mov', 'alpha': '.mp4', 'composite': '.mp4'}


class Source(NamedTuple):
    """An input, and how the names of its outputs begin."""
    path: str
    output: str


def main() -> int:
    args = make_parser().parse_args()
    if args.background and 'composite' not in args.write:
        raise UserError(f'--background {args.background}: is for composites; pass --write '
                        f'composite, too')
    if args.foreground and args.write == ['alpha']:
        raise UserError('--foreground: is for cut-outs and composites; pass --write cutout or '
                        'composite, too')
    background = inference.parse_background(args.background or 'blur')
    # This may start the program anew, so it comes before anything is printed.
    runtime = environments.enter_for([args.model], args.runtime)
    sources = find_sources(args.input, args.output_dir)
    if args.steady and not any(is_moving(source.path) for source in sources):
        raise UserError('--steady: applies to videos and cameras, and all inputs are photos; leave '
                        'it out')
    predictor = inference.load(args.model, '--model', runtime)
    files.make_directory(args.output_dir)
    failures: List[str] = []
    written: Set[str] = set()
    try:
        for source in tqdm(sources, unit=' inputs', disable=len(sources) < 2 or None):
            failure = attempt(source, written, predictor, background, args)
            if failure:
                failures.append(failure)
    finally:
        # Also where Ctrl-C ends a long list of inputs.
        if failures:
            print(f'{len(failures)} of {len(sources)} inputs failed:', file=sys.stderr)
            for failure in failures:
                print('  ' + failure, file=sys.stderr)
    return 1 if failures else 0


def attempt(source: Source, written: Set[str], predictor: inference.Predictor,
            background: inference.Background, args: argparse.Namespace) -> Optional[str]:
    """Writes the results of an input and notes them in `written`; returns what went wrong."""
    try:
        paths = output_paths(source, args, written)
        process = process_video if is_moving(source.path) else process_photo
        process(source.path, paths, predictor, background, args)
    except UserError as error:
        return str(error)
    except decode.UNREADABLE as error:
        return f'{source.path}: cannot be read as a photo ({error})'
    # A library may raise anything for an odd file, and hours of other files may be waiting.
    except Exception as error:
        return f'{source.path}: failed ({type(error).__name__}: {error})'
    # This is outside the try, because a closed standard output is not the photo's failure.
    written.update(paths.values())
    tqdm.write(f'{source.path} -> {" ".join(paths.values())}')
    return None


def make_parser() -> cli.Parser:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('input', nargs='+', help='photos, videos, folders of them, or camera:0, '
                        'which is recorded until Ctrl-C')
    cli.add_matting_flags(parser)
    parser.add_argument('--output_dir', required=True, help='where results go, as NAME_cutout.png, '
                        'NAME_alpha.png, NAME_composite.jpg; folders inside input folders are kept')
    parser.add_argument('--write', type=kinds, default='cutout', metavar='KIND[,KIND…]',
                        help='cutout is the person with transparency, alpha the matte, composite '
                        'the person on a new background; for videos .mov (ProRes 4444) and .mp4')
    parser.add_argument('--background', help='background of composites: a colour such as white or '
                        '#1f9e59, a picture\'s path, or blur for the photo\'s own (the default)')
    parser.add_argument('--foreground', action='store_true', help='estimate the person\'s own '
                        'colours where the old background shows through, mostly in hair')
    parser.add_argument('--steady', action='store_true', help='steady the mattes of videos and '
                        'cameras: blend each with the one before, moved along the picture')
    parser.add_argument('--force', action='store_true', help='replace existing results')
    return parser


def kinds(text: str) -> List[str]:
    """The type of `--write`: kinds of results with commas between them."""
    names = text.split(',')
    for name in names:
        if name not in PHOTO_FILES:
            raise argparse.ArgumentTypeError(
                f'"{name}" is none of {", ".join(sorted(PHOTO_FILES))}; give one, or several with '
                f'commas and no spaces between them')
    return names


def find_sources(inputs: List[str], output_dir: str) -> List[Source]:
    """Lists the inputs, and the contents of those that are folders; each file once.

    Raises:
        UserError: for a missing input, or a folder without photos and videos.
    """
    sources = []
    for path in inputs:
        if os.path.isdir(path):
            sources += in_folder(path, output_dir)
        elif camera_number(path) is not None:
            sources.append(Source(path, os.path.join(output_dir, path.replace(':', ''))))
        elif os.path.exists(path):
            sources.append(source_of(path, os.path.dirname(path), output_dir))
        else:
            raise UserError(f'{path}: no such file or folder')
    return list({(os.path.realpath(source.path), source.output): source
                 for source in sources}.values())


def in_folder(folder: str, output_dir: str) -> List[Source]:
    """Lists all photos and videos in a folder and its subfolders, except what was written there.

    Standard error says how many pictures of other types and links to folders there are.

    Raises:
        UserError: if there are no photos and videos.
    """
    sources: List[Source] = []
    ignored: List[str] = []

    def note(error: OSError) -> None:
        ignored.append(f'{error.filename} ({error.strerror})')

    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(each for each in folders if not each.startswith('.') and
                            not same_place(os.path.join(parent, each), output_dir))
        ignored += [path for path in (os.path.join(parent, each) for each in folders)
                    if os.path.islink(path)]
        for name in sorted(names):
            if name.startswith('.') or (same_place(folder, output_dir) and is_result(name)):
                continue
            path = os.path.join(parent, name)
            if name.lower().endswith(decode.PHOTOS + VIDEOS):
                sources.append(source_of(path, folder, output_dir))
            elif name.lower().endswith(decode.OTHER_PICTURES):
                ignored.append(path)
    if ignored:
        print(f'{folder}: ignoring {len(ignored)} files or folders, such as {ignored[0]}; convert '
              f'HEIC photos first, and name linked folders', file=sys.stderr)
    if not sources:
        raise UserError(f'{folder}: holds no photos or videos ({" ".join(decode.PHOTOS + VIDEOS)})')
    return sources


def is_result(name: str) -> bool:
    """Returns whether a file has the name of a result."""
    return any(name.endswith(f'_{kind}{extension}') for known in (PHOTO_FILES, VIDEO_FILES)
               for kind, extension in known.items())


def same_place(path: str, other: str) -> bool:
    """Returns whether two paths lead to the same file or folder."""
    return os.path.realpath(path) == os.path.realpath(other)


def source_of(path: str, folder: str, output_dir: str) -> Source:
    """Names an input's outputs by its place below `folder`: `holiday/1.jpg` is `OUT/holiday/1`."""
    stem = os.path.splitext(os.path.relpath(path, folder or '.'))[0]
    return Source(path, os.path.join(output_dir, stem))


def camera_number(path: str) -> Optional[int]:
    """Returns the number in `camera:0`; None for anything else."""
    match = re.match(r'camera:(\d+)$', path)
    return int(match.group(1)) if match else None


def is_moving(path: str) -> bool:
    """Returns whether an input is a video or a camera, not a photo."""
    return path.lower().endswith(VIDEOS) or camera_number(path) is not None


def output_paths(source: Source, args: argparse.Namespace, written: Set[str]) -> Dict[str, str]:
    """Returns the files to write for an input, by kind.

    Args:
        source: the input.
        args: of the program.
        written: the files that earlier inputs have written.

    Raises:
        UserError: if one exists already, or an earlier input has written it.
    """
    extensions = VIDEO_FILES if is_moving(source.path) else PHOTO_FILES
    paths = {kind: f'{source.output}_{kind}{extensions[kind]}' for kind in args.write}
    for path in paths.values():
        if path in written:
            raise UserError(f'{source.path}: {path} would overwrite another input\'s result; use '
                            f'another --output_dir for one of them')
        if os.path.exists(path) and not args.force:
            raise UserError(f'{source.path}: {path} exists already; pass --force to replace it')
    files.make_directory(os.path.dirname(source.output))
    return paths


def process_photo(path: str, paths: Dict[str, str], predictor: inference.Predictor,
                  background: inference.Background, args: argparse.Namespace) -> None:
    """Writes a photo's results, each whole or not at all."""
    image, opacity = decode.read_image(path), decode.read_opacity(path)
    alpha = inference.matte(predictor, image, args.refine)
    if opacity is not None:     # parts that are see-through stay see-through
        alpha = alpha * (opacity / np.float32(255))
    profile = decode.colour_profile(path)
    if profile and background is not compositing.blurred_background:
        background = in_profile(background, profile)
    for kind, pixels in results(image, alpha, background, args).items():
        options: Dict[str, Any] = {} if kind == 'alpha' else {'icc_profile': profile}
        if kind == 'composite':
            options.update(quality=95)
        with files.replacing(paths[kind]) as partial:
            Image.fromarray(pixels).save(
                partial, 'JPEG' if kind == 'composite' else 'PNG', **options)


def in_profile(background: inference.Background, profile: bytes) -> inference.Background:
    """Gives a background of sRGB the photo's colour space, which composites are saved with."""
    def converted(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        pixels = np.broadcast_to(background(image, alpha), image.shape)
        return pictures.recoloured(np.ascontiguousarray(pixels), None, profile)
    return converted


def process_video(path: str, paths: Dict[str, str], predictor: inference.Predictor,
                  background: inference.Background, args: argparse.Namespace) -> None:
    """Writes a video's results. Ctrl-C ends a camera's recording, but abandons a video file.

    Frames are decoded, matted, and put together in three threads, and ffmpeg encodes them.

    Raises:
        UserError: if the video cannot be read or a result cannot be written.
    """
    number = camera_number(path)
    predictor = following(predictor)
    if args.steady:
        predictor = steady.steadied(predictor)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(
            video.reading(path) if number is None else video.camera(number))
        write = {kind: stack.enter_context(video.writing(
            paths[kind], source, transparent=kind == 'cutout')) for kind in paths}
        if number is not None:
            print(f'{path}: recording; Ctrl-C ends it', file=sys.stderr)
        images = stack.enter_context(contextlib.closing(video.ahead(source.images)))
        mattes = stack.enter_context(contextlib.closing(
            video.ahead(matted(images, predictor, args.refine))))
        count = 0
        last: Optional[np.ndarray] = None
        made: Dict[str, np.ndarray] = {}
        ended = threading.Event()
        if number is not None:
            stack.enter_context(noting_interrupts(ended))
        for count, (image, alpha) in enumerate(tqdm(
                mattes, total=source.frames, desc=os.path.basename(path), unit=' frames',
                leave=False, disable=None), start=1):
            if image is not last:
                last, made = image, results(image, alpha, background, args)
            for kind, pixels in made.items():
                if kind == 'alpha':
                    pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
                write[kind](pixels)
            if ended.is_set():
                break
        if not count:
            raise UserError(f'{path}: holds no pictures')


@contextlib.contextmanager
def noting_interrupts(ended: threading.Event) -> Iterator[None]:
    """Sets an event at Ctrl-C, because an exception could cut a frame or a file short.

    A second Ctrl-C interrupts as usual, in case the camera has stopped.
    """
    def note(number, frame) -> None:
        ended.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def matted(images: Iterable[np.ndarray], predictor: inference.Predictor,
           refine: bool) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Yields images and their alphas; a frame that a camera repeats has the same alpha."""
    last: Optional[np.ndarray] = None
    alpha = np.empty(0)
    for image in images:
        if image is not last:
            last, alpha = image, inference.matte(predictor, image, refine)
        yield image, alpha


def results(image: np.ndarray, alpha: np.ndarray, background: inference.Background,
            args: argparse.Namespace) -> Dict[str, np.ndarray]:
    """Makes a picture's results by kind.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        alpha: float32 `[H, W]` in [0, 1].
        background: for composites.
        args: of the program.

    Returns:
        uint8: `alpha` `[H, W]`, `cutout` `[H, W, 4]`, `composite` `[H, W, 3]`; only the kinds in
        `--write`.
    """
    foreground = compositing.foreground_colours(image, alpha) if args.foreground else image
    make = {'alpha': lambda: pictures.grey(alpha),
            'cutout': lambda: compositing.cut_out(foreground, alpha),
            'composite': lambda: compositing.composite(foreground, alpha, background(image, alpha))}
    return {kind: make[kind]() for kind in args.write}


def command() -> None:
    """Runs the program."""
    # The installed command starts here, not in scripts/matte.py.
    with cli.starting():
        cli.run(main)
