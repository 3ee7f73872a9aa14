"""Picture files."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from mmnet import matting, pictures
from mmnet.errors import UserError


def test_files_are_what_their_names_say(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, [6, 8, 3]).astype(np.uint8)
    for name, form in (('a.png', 'PNG'), ('a.JPG', 'JPEG')):
        pictures.save(pixels, str(tmp_path / name))
        with Image.open(str(tmp_path / name)) as image:
            assert image.format == form and image.size == (8, 6)
    np.testing.assert_array_equal(np.asarray(Image.open(str(tmp_path / 'a.png'))), pixels)
    with pytest.raises(UserError, match='a.gif: has no known extension of a picture'):
        pictures.check_output(str(tmp_path / 'a.gif'), force=True)
    with pytest.raises(UserError, match='--force'):
        pictures.check_output(str(tmp_path / 'a.png'), force=False)


def test_colours_go_from_one_profile_to_another():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    # A colour space whose red is sRGB's green, and the other way round.
    swapped = srgb.replace(b'rXYZ', b'tXYZ', 1).replace(b'gXYZ', b'rXYZ', 1).replace(
        b'tXYZ', b'gXYZ', 1)
    pixels = np.uint8([[[250, 20, 60], [128, 128, 128]]])
    np.testing.assert_allclose(pictures.recoloured(pixels, None, swapped),
                               pixels[..., [1, 0, 2]], atol=2)
    np.testing.assert_allclose(pictures.recoloured(pixels, swapped, None),
                               pixels[..., [1, 0, 2]], atol=2)
    for damaged in (b'no profile', srgb[:200]):
        np.testing.assert_array_equal(pictures.recoloured(pixels, damaged, None), pixels)
    photo = np.zeros([2, 3, 3], np.uint8)
    background = matting.in_profile(lambda image, alpha: pixels[0, 0], swapped)
    np.testing.assert_allclose(background(photo, photo[..., 0]),
                               np.broadcast_to([20, 250, 60], photo.shape), atol=2)
