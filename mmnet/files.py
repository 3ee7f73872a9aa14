"""Small files that are written whole or not at all, and directories that are used by one only."""

import contextlib
import fcntl
import json
import os
from typing import Any, Dict, Iterator, Optional

from mmnet.errors import UserError


def read_json(path: str) -> Optional[Any]:
    """Reads a JSON file; None if it is not there or not whole."""
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
    with replacing(path) as partial, open(partial, 'w') as file:
        file.write(text)


def check_output(path: str, force: bool) -> None:
    """Refuses a file to write that is there already, unless it may be replaced.

    Raises:
        UserError: names it.
    """
    if os.path.exists(path) and not force:
        raise UserError(f'--output {path}: is there already; pass --force to replace it')


def make_directory(path: str) -> None:
    """Makes a directory and those above it, where they are not there.

    Raises:
        UserError: if it cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError(f'{path}: cannot be made ({error.strerror})')


def claim(directory: str, name: str, settings: Dict[str, Any]) -> None:
    """Makes a directory for what is made with some settings, or goes on in one made with the same.

    Args:
        directory: to be made.
        name: of the JSON file there that keeps the settings.
        settings: what the directory's contents depend on.

    Raises:
        UserError: if it holds anything else.
    """
    path = os.path.join(directory, name)
    there = read_json(path)
    if there is None:
        if os.path.isdir(directory) and os.listdir(directory):
            raise UserError(f'{directory}: holds other files; choose another folder')
        make_directory(directory)
        write_json(settings, path)
    elif there != settings:
        raise UserError('{}: was made with {}; choose another folder, or the same settings'.format(
            directory, ', '.join('{} {}'.format(*item) for item in sorted(there.items()))))


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yields the path of a file to write, which takes its place at `path` if nothing goes wrong.

    Raises:
        UserError: if it cannot be written.
    """
    partial = path + '.partial'
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise UserError('{}: cannot be written ({})'.format(
            path, error.strerror or str(error).split('\n')[0]))
    finally:
        if os.path.exists(partial):
            os.remove(partial)


@contextlib.contextmanager
def locked(directory: str, wait: bool = True) -> Iterator[None]:
    """Makes a directory and holds it; the lock ends with the process, however that ends.

    Raises:
        UserError: if the directory cannot be made or opened.
        BlockingIOError: if another process holds it, unless told to wait.
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
