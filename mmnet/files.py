"""Small files that are written whole or not at all, and directories that are used by one only."""

import contextlib
import fcntl
import json
import os
from typing import Any, Iterator, Optional

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
        raise UserError('{}: cannot be written ({})'.format(path, error.strerror))
    finally:
        if os.path.exists(partial):
            os.remove(partial)


@contextlib.contextmanager
def locked(directory: str, wait: bool = True) -> Iterator[None]:
    """Makes a directory and holds it; the lock ends with the process, however that ends.

    Raises:
        UserError: if the directory cannot be made.
        BlockingIOError: if another process holds it, unless told to wait.
    """
    try:
        os.makedirs(directory, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise UserError('{}: cannot be made ({})'.format(directory, error.strerror))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
