"""Picture files."""

import numpy as np
import pytest
from PIL import Image

from mmnet import pictures
from mmnet.errors import UserError


def test_files_are_what_their_names_say(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [6, 8, 3]).astype(np.uint8)
    for name, form in (('a.png', 'PNG'), ('a.JPG', 'JPEG')):
        pictures.save(pixels, str(tmp_path / name))
        with Image.open(str(tmp_path / name)) as image:
            assert image.format == form and image.size == (8, 6)
    np.testing.assert_array_equal(np.asarray(Image.open(str(tmp_path / 'a.png'))), pixels)
    with pytest.raises(UserError, match='a.gif: pictures are written as'):
        pictures.check_output(str(tmp_path / 'a.gif'), force=True)
    with pytest.raises(UserError, match='--force'):
        pictures.check_output(str(tmp_path / 'a.png'), force=False)
