"""The common parts of all command lines: start-up, parser, common flags, exit status.

    from mmnet import cli

    with cli.starting():
        import tensorflow as tf

    def main() -> int:
        parser = cli.Parser('Counts to a number.')
        parser.add_argument('--count', type=cli.positive(int), default=3, help='where to stop')
        ...

    if __name__ == '__main__':
        cli.run(main)

This module needs the standard library only, so it runs in every environment.
"""

import argparse
import contextlib
import errno
import logging
import os
import signal
import sys
import warnings
from typing import Any, Callable, Iterator, Optional

from mmnet import files, pretrained
from mmnet.errors import UserError
from mmnet.settings import Bounds, describe_number

INTERRUPTED = 130
# Errors of a write: the disk is full, the quota is used up, or the device fails.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
# What runs an exported file by default.
RUNTIME = 'litert'


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """The context in which a program imports TensorFlow and the modules that need it.

    Importing TensorFlow takes seconds: Ctrl-C ends the program in one line here, too. The
    environment must be set before TensorFlow is imported, and this is the only place that sets it.
    """
    # TensorFlow's own allocator keeps large buffers. The system would zero them again every step.
    os.environ.setdefault('TF_CPU_ALLOCATOR_USE_BFC', 'true')
    # TensorFlow 1.15 prints pages of deprecation notices, which would bury a run's own lines.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    logging.getLogger('tensorflow').setLevel(logging.ERROR)
    warnings.filterwarnings('ignore', category=FutureWarning, module='tensor(flow|board)')
    # imageio-ffmpeg's static build crashes at a transport stream (.mts) if it finds the system's
    # character converters, which are of another C library.
    os.environ.setdefault('GCONV_PATH', os.devnull)
    # Pillow warns about the large photos of today's phones.
    warnings.filterwarnings('ignore', message='Image size .* exceeds limit')
    # imageio-ffmpeg warns about every video that it turns upright.
    logging.getLogger('imageio_ffmpeg').setLevel(logging.ERROR)
    try:
        yield
    except KeyboardInterrupt:
        _exit_interrupted()


def run(main: Callable[[], Optional[int]]) -> None:
    """Runs a program's `main` and exits with the status it returns.

    A `UserError` becomes one line and status 1; Ctrl-C becomes one line and status 130. SIGTERM
    ends the program with status 143 after it has cleaned up. Where nobody reads the output any
    more, the program ends quietly.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for stream in ('stdout', 'stderr'):
        # A stream that the shell closed is None.
        setattr(sys, stream, getattr(sys, stream) or open(os.devnull, 'w'))
    # A file name may hold bytes that are not UTF-8, and is printed all the same.
    sys.stdout.reconfigure(errors='backslashreplace')  # type: ignore[attr-defined]
    try:
        status = main()
        sys.stdout.flush()
        sys.exit(status)
    except UserError as error:
        print(f'{_program()}: error: {error}', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        _exit_interrupted()
    except BrokenPipeError:
        # The reader of the output, such as `head`, has left.
        discard_output()
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        # Python names no file where standard output fails.
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise
        discard_output()
        print(f'{_program()}: error: the output cannot be written ({error.strerror})',
              file=sys.stderr)
        sys.exit(1)


def discard_output() -> None:
    """Discards all further output, because Python would flush into a closed pipe at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_interrupted() -> None:
    print(f'{_program()}: interrupted', file=sys.stderr)
    sys.exit(INTERRUPTED)


def _program() -> str:
    return os.path.basename(sys.argv[0])


class Parser(argparse.ArgumentParser):
    """A parser that reports bad usage in one line."""

    def __init__(self, description: str):
        # An abbreviation would slip past checks of flags by their names.
        super().__init__(description=description, formatter_class=_HelpFormatter,
                         allow_abbrev=False)

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f'{self.prog}: error: {message}; --help lists the flags\n')


def silent(default: Any) -> bool:
    """Returns whether help omits a default: None, '', [] and False are omitted, 0 is shown."""
    return default in (None, '', []) or default is False


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default only if it says something, and keeps the line breaks of a description."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        if silent(action.default) or action.required:
            return action.help
        return super()._get_help_string(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if '\n' in text else super()._fill_text(text, width, indent)


def number(kind: type, bounds: Bounds) -> Callable[[str], float]:
    """Makes a flag's type: `int` or `float` within bounds."""
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or value not in bounds:
            raise argparse.ArgumentTypeError(f'{text} is not {describe_number(kind, bounds)}')
        return value
    return parse


def positive(kind: type) -> Callable[[str], float]:
    """Makes a flag's type: a number above 0."""
    return number(kind, Bounds(above=0))


def not_negative(kind: type) -> Callable[[str], float]:
    """Makes a flag's type: a number of at least 0."""
    return number(kind, Bounds(minimum=0))


fraction = number(float, Bounds(above=0, below=1))
# NumPy's generators take seeds below this.
SEEDS = 2 ** 32
seed = number(int, Bounds(minimum=0, below=SEEDS))


def add_data_flags(parser: Parser, split: str) -> None:
    """Adds the flags that name a split of one or more data sets."""
    parser.add_argument('--dataset_path', required=True, nargs='+',
                        help='data sets, each with <split>/image and <split>/mask')
    parser.add_argument('--dataset_split_name', default=split, help='folder of the split')
    parser.add_argument('--skip_bad_pairs', action='store_true',
                        help='skip files that cannot be read or paired')


def add_matting_flags(parser: Parser, action: str = 'store') -> None:
    """Adds the flags that say how alphas are made; the action `append` takes several networks."""
    parser.add_argument('--model', type=pretrained.find, action=action,
                        default=pretrained.DEFAULT if action == 'store' else None,
                        help='a file of export_tflite.py, a train directory, one checkpoint, or '
                        'one of the pretrained networks '
                        f'({", ".join(pretrained.PREFIX + name for name in pretrained.names())})')
    add_runtime_flag(parser)
    parser.add_argument('--refine', action='store_true', help='sharpen the alpha along the '
                        'photo\'s edges with a guided filter')


def add_json_flag(parser: Parser) -> None:
    """Adds the flag that names a file for figures; one that cannot be written is refused."""
    def path(text: str) -> str:
        files.check_output(text, force=True, flag='--json')
        return text
    parser.add_argument('--json', type=path,
                        help='write the results, unscaled, to this JSON file; replaces it')


def add_runtime_flag(parser: Parser) -> None:
    """Adds the flag that says what runs an exported file."""
    parser.add_argument('--runtime', choices=('litert', 'litert_compiled', 'tensorflow'),
                        help='what runs an exported file: LiteRT\'s Interpreter, its newer '
                        'CompiledModel, or TensorFlow 1.15\'s interpreter, to check that old '
                        f'phones run it ({RUNTIME})')
