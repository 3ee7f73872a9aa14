"""Picture files: their formats, and writing them."""

import os
from typing import Optional

import numpy as np
from PIL import Image

from mmnet import files
from mmnet.errors import UserError

FORMATS = {'.jpg': 'JPEG', '.jpeg': 'JPEG', '.png': 'PNG'}


def check_output(path: str, force: bool) -> None:
    """Refuses an output picture of an unknown format, or one that exists already.

    Raises:
        UserError: names the file.
    """
    if _format(path) is None:
        raise UserError(f'--output {path}: pictures are written as {", ".join(sorted(FORMATS))}')
    files.check_output(path, force)


def save(pixels: np.ndarray, path: str) -> None:
    """Writes uint8 RGB `[H, W, 3]` in the format that the extension names.

    Raises:
        UserError: if the file cannot be written.
    """
    with files.replacing(path) as partial:
        Image.fromarray(pixels).save(partial, _format(path), quality=90)


def _format(path: str) -> Optional[str]:
    return FORMATS.get(os.path.splitext(path)[1].lower())
