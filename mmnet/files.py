"""Writes small files whole or not at all, and locks directories."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from typing import Any, Dict, Iterator, Optional

from mmnet.errors import UserError


# A disk with less space than this counts as full.
FULL = 2 ** 20


def read_json(path: str) -> Optional[Any]:
    """Reads a JSON file; returns None if it is missing or not whole."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def write_json(value: Any, path: str) -> None:
    """Writes a JSON file.

    Raises:
        UserError: if it cannot be written.
    """
    write_text(json.dumps(value, indent=2) + '\n', path)


def write_text(text: str, path: str) -> None:
    """Writes a text file.

    Raises:
        UserError: if it cannot be written.
    """
    with replacing(path) as partial, open(partial, 'w', errors='surrogateescape') as file:
        file.write(text)


def check_output(path: str, force: bool, flag: str = '--output') -> None:
    """Refuses an output file that cannot be written, or exists already and may not be replaced.

    Args:
        path: of the file.
        force: whether it may be replaced.
        flag: the flag that the path came with.

    Raises:
        UserError: names the file.
    """
    if os.path.isdir(path):
        raise UserError(f'{flag} {path}: is a folder; name a file')
    if os.path.exists(path) and not force:
        raise UserError(f'{flag} {path}: exists already; pass --force to replace it')
    if os.path.exists(path) and not os.path.isfile(path):
        return      # a device or a pipe, which `replacing` writes to
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise UserError(f'{flag} {path}: there is no folder {folder}; make it first')
    check_writable(folder, flag)


def check_writable(directory: str, flag: str) -> None:
    """Refuses a directory in which no file can be made.

    Args:
        directory: its path.
        flag: the flag that it came with.

    Raises:
        UserError: names the directory.
    """
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UserError(f'{flag} {directory}: is not writable; choose another folder')


def make_directory(path: str) -> None:
    """Makes a directory and its parents where they are missing.

    Raises:
        UserError: if it cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError(f'{path}: cannot be made ({error.strerror}); choose another place, or '
                        f'fix its permissions')


def reserve_directory(directory: str, name: str, made_with: Dict[str, Any]) -> None:
    """Makes a directory, or continues one that was made with the same values.

    Args:
        directory: to make.
        name: of the JSON file inside it that keeps the values.
        made_with: what the directory's contents depend on.

    Raises:
        UserError: if the directory holds anything else.
    """
    path = os.path.join(directory, name)
    there = read_json(path)
    if there is None:
        if os.path.isdir(directory) and os.listdir(directory):
            raise UserError(f'{directory}: holds other files; choose another folder')
        make_directory(directory)
        write_json(made_with, path)
    elif there != made_with:
        values = ', '.join(f'{key} {value}' for key, value in sorted(there.items()))
        raise UserError(f'{directory}: was made with {values}; choose another folder, or the same '
                        f'values')


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yields the path of a temporary file that replaces `path` if nothing goes wrong.

    A symbolic link is followed. A device or a pipe is never replaced; it gets the content.

    Raises:
        UserError: if it cannot be written.
    """
    target = os.path.realpath(path)
    special = os.path.exists(target) and not os.path.isfile(target)
    scratch = tempfile.mkdtemp() if special else None
    partial = os.path.join(scratch, 'content') if scratch else target + '.partial'
    try:
        if os.path.isdir(target):
            raise UserError(f'{path}: is a folder; name a file')
        yield partial
        if special:
            with open(partial, 'rb') as source, open(target, 'wb') as sink:
                shutil.copyfileobj(source, sink)
        else:
            os.replace(partial, target)
    except OSError as error:
        raise UserError(f'{path}: cannot be written ({reason(error, target)})')
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
        elif os.path.exists(partial):
            os.remove(partial)


def reason(error: OSError, path: str) -> str:
    """Says why a write failed; a full disk may show up as a broken pipe to ffmpeg."""
    folder = os.path.dirname(path)
    if error.errno in (None, errno.EPIPE) and os.path.isdir(folder) and \
            shutil.disk_usage(folder).free < FULL:
        return os.strerror(errno.ENOSPC)
    return error.strerror or str(error).split('\n')[0]


@contextlib.contextmanager
def locked(directory: str, wait: bool = True) -> Iterator[None]:
    """Makes a directory and locks it. The lock ends with the process, however that ends.

    Raises:
        UserError: if the directory cannot be made or opened.
        BlockingIOError: if another process holds the lock and `wait` is false.
    """
    make_directory(directory)
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise UserError(f'{directory}: cannot be opened ({error.strerror})')
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
