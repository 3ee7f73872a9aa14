import os
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmnet.data import decode, pairs
from tests.helpers import blurred_noise

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


def save(tmp_path, image, name='x.png'):
    path = str(tmp_path / name)
    image.save(path)
    return path


@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA', 'P', 'LA'])
def test_grey_in_any_mode_is_the_same_image_and_mask(tmp_path, mode):
    path = save(tmp_path, Image.fromarray(GREY).convert(mode))
    np.testing.assert_array_equal(decode.read_image(path), np.dstack([GREY] * 3))
    np.testing.assert_array_equal(decode.read_mask(path), GREY)


def test_16_bit_grey_is_scaled(tmp_path):
    path = save(tmp_path, Image.fromarray(GREY.astype(np.uint16) * 257))
    np.testing.assert_array_equal(decode.read_mask(path), GREY)
    np.testing.assert_array_equal(decode.read_image(path)[..., 0], GREY)


def test_16_bit_masks_of_both_byte_orders(tmp_path):
    paths = [str(tmp_path / name) for name in ('little.tif', 'big.tif')]
    for path, kind in zip(paths, ('<u2', '>u2')):
        pixels = (GREY.astype(np.uint16) * 257).astype(kind)
        mode = 'I;16' if kind == '<u2' else 'I;16B'
        Image.frombytes(mode, GREY.shape[::-1], pixels.tobytes()).save(path)
        np.testing.assert_array_equal(decode.read_mask(path), GREY)


def test_bilevel_masks(tmp_path):
    path = save(tmp_path, Image.fromarray(GREY > 100))
    np.testing.assert_array_equal(decode.read_mask(path), (GREY > 100) * 255)


def test_the_alpha_of_a_cut_out_is_the_mask(tmp_path):
    rgba = np.dstack([np.full_like(GREY, 200), np.full_like(GREY, 100), GREY, GREY])
    path = save(tmp_path, Image.fromarray(rgba))
    np.testing.assert_array_equal(decode.read_mask(path), GREY)
    opaque = np.dstack([rgba[..., :3], np.full_like(GREY, 255)])
    assert (decode.read_mask(save(tmp_path, Image.fromarray(opaque))) == 255).all()


def test_a_grey_mask_with_a_stroke_of_transparency_is_refused(tmp_path):
    mask = np.zeros([40, 30], np.uint8)
    mask[10:, 8:22] = 255
    opacity = np.full_like(mask, 255)
    opacity[20, 12] = 254
    path = save(tmp_path, Image.fromarray(np.dstack([mask, mask, mask, opacity])))
    with pytest.raises(ValueError, match='both its grey and its alpha channel'):
        decode.read_mask(path)
    # A grey cut-out leaves much of the photo open.
    path = save(tmp_path, Image.fromarray(np.dstack([mask, mask, mask, mask])))
    np.testing.assert_array_equal(decode.read_mask(path), mask)


def test_a_mask_with_a_tint_is_grey_and_one_in_colour_is_refused(tmp_path):
    tinted = np.dstack([GREY, GREY, np.where(GREY > 5, GREY - 5, GREY), np.full_like(GREY, 255)])
    for pixels in (tinted, tinted[..., :3]):
        read = decode.read_mask(save(tmp_path, Image.fromarray(pixels)))
        np.testing.assert_allclose(read.astype(int), GREY, atol=2)
    red = np.dstack([GREY, 0 * GREY, 0 * GREY])
    with pytest.raises(ValueError, match='is in colour'):
        decode.read_mask(save(tmp_path, Image.fromarray(red)))


@pytest.mark.parametrize('white', [1, 255])
def test_bytes_and_labels_in_16_bits_are_refused_as_masks(tmp_path, white):
    path = save(tmp_path, Image.fromarray((GREY > 100).astype(np.uint16) * white))
    for labels in (False, True):
        with pytest.raises(ValueError, match='16 bits hold no more than 255.*save it with 8 bits'):
            decode.read_mask(path, labels=labels)
    # A predicted matte may be nearly black, and a mask may be black.
    assert decode.read_alpha(path).max() <= 1
    assert not decode.read_mask(save(tmp_path, Image.fromarray(0 * GREY.astype(np.uint16)))).any()


def test_the_transparency_of_a_palette_is_the_mask(tmp_path):
    image = Image.fromarray((GREY > 100).astype(np.uint8), mode='P')
    image.putpalette([10, 20, 30, 200, 100, 50])
    path = str(tmp_path / 'x.png')
    image.save(path, transparency=0)
    np.testing.assert_array_equal(decode.read_mask(path), (GREY > 100) * 255)


def test_masks_of_class_labels_are_refused(tmp_path):
    with pytest.raises(ValueError, match='0 and 1'):
        decode.read_mask(save(tmp_path, Image.fromarray((GREY > 100).astype(np.uint8))))


@pytest.mark.parametrize('colour', [(128, 0, 0), (12, 12, 0), (0, 0, 1)])
@pytest.mark.parametrize('label', [1, 15])
def test_labels_with_a_palette_are_read_as_labels(tmp_path, label, colour):
    image = Image.fromarray((GREY > 100).astype(np.uint8) * label, mode='P')
    image.putpalette([0, 0, 0, *15 * colour])
    path = save(tmp_path, image)
    for read in (decode.read_mask, decode.read_alpha):
        if label == 1:
            np.testing.assert_array_equal(read(path), (GREY > 100) * 255)
        else:
            with pytest.raises(ValueError, match='labels above 1'):
                read(path)


def test_rotated_photos_come_out_upright(tmp_path):
    upright = np.zeros([32, 24, 3], np.uint8)
    upright[:8] = 255
    exif = Image.Exif()
    exif[decode.ORIENTATION_TAG] = 6  # turn clockwise to show
    path = str(tmp_path / 'x.jpg')
    Image.fromarray(np.rot90(upright)).save(path, exif=exif, quality=100)
    np.testing.assert_allclose(decode.read_image(path).astype(int), upright, atol=3)
    assert decode.read_image(path, size=16)[:3].min() > 240


@pytest.mark.parametrize('orientation', range(1, 9))
def test_every_orientation_is_turned_as_pillow_does(tmp_path, orientation):
    exif = Image.Exif()
    exif[decode.ORIENTATION_TAG] = orientation
    path = str(tmp_path / 'x.png')
    Image.fromarray(GREY).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(decode.read_mask(path), expected)
    assert pairs.upright_size(path) == expected.shape[::-1]


@pytest.mark.parametrize('compression', ['raw', 'tiff_lzw'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_tiff_is_turned_once(tmp_path, orientation, compression):
    exif = Image.Exif()
    exif[decode.ORIENTATION_TAG] = orientation
    png, tiff = str(tmp_path / 'x.png'), str(tmp_path / 'x.tif')
    wide = Image.fromarray(GREY[:8])
    wide.save(png, exif=exif)
    wide.save(tiff, tiffinfo={decode.ORIENTATION_TAG: orientation}, compression=compression)
    np.testing.assert_array_equal(decode.read_image(tiff), decode.read_image(png))


def test_an_exif_block_behind_the_pixels_turns_neither_size_nor_pixels(tmp_path):
    exif = Image.Exif()
    exif[decode.ORIENTATION_TAG] = 6
    path = tmp_path / 'x.png'
    Image.new('RGB', (40, 30)).save(str(path), exif=exif)
    content = path.read_bytes()
    # A chunk is its length, its name, so many bytes and a checksum.
    start = content.index(b'eXIf') - 4
    length, = struct.unpack('>I', content[start:start + 4])
    block, end = content[start:start + 12 + length], content.index(b'IEND') - 4
    path.write_bytes(content.replace(block, b'')[:end - len(block)] + block + content[end:])
    assert pairs.upright_size(str(path)) == (40, 30)
    assert decode.read_image(str(path)).shape == (30, 40, 3)


def test_damaged_exif_tags_do_not_matter(tmp_path):
    """Pillow's own exif_transpose fails on this file."""
    # Two entries: the camera's model, which is a fraction here, and the orientation.
    exif = b'Exif\0\0II*\0' + struct.pack(
        '<IHHHIIHHIIIII', 8, 2, 0x0110, 5, 1, 38, decode.ORIENTATION_TAG, 3, 1, 6, 0, 1, 2)
    path = str(tmp_path / 'x.jpg')
    Image.new('RGB', (40, 30)).save(path, exif=exif)
    with Image.open(path) as image, pytest.raises(AttributeError):
        ImageOps.exif_transpose(image)
    assert pairs.upright_size(path) == (30, 40)
    assert decode.read_image(path).shape == (40, 30, 3)


def test_resizing_averages_over_pixels(tmp_path):
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    path = save(tmp_path, Image.fromarray(checks.astype(np.uint8)))
    np.testing.assert_allclose(decode.read_mask(path, 16), 127, atol=2)
    np.testing.assert_array_equal(decode.read_mask(path, 16),
                                  decode.resize_mask(decode.read_mask(path), 16))


def test_floats_in_the_unit_range_are_read_and_others_refused(tmp_path):
    path = save(tmp_path, Image.fromarray(GREY.astype(np.float32) / 255), 'x.tif')
    np.testing.assert_array_equal(decode.read_mask(path), GREY)
    np.testing.assert_array_equal(decode.read_image(path)[..., 1], GREY)
    for pixels in (GREY.astype(np.float32), GREY.astype(np.float32) / 255 - 0.5,
                   GREY.astype(np.float32) * np.nan, GREY.astype(np.int32) * 2 ** 20,
                   GREY.astype(np.int32) - 5):
        path = save(tmp_path, Image.fromarray(pixels), 'y.tif')
        for read in (decode.read_image, decode.read_mask):
            with pytest.raises(ValueError, match='8 or 16 bits'):
                read(path)


def test_only_regular_files_are_read(tmp_path):
    path = str(tmp_path / 'x.jpg')
    os.mkfifo(path)
    for read in (decode.read_image, decode.read_mask, decode.read_opacity, pairs.upright_size):
        with pytest.raises(OSError, match='not a regular file'):
            read(path)


def test_an_orientation_that_means_nothing_turns_nothing(tmp_path):
    exif = Image.Exif()
    exif[decode.ORIENTATION_TAG] = 9
    path = str(tmp_path / 'x.jpg')
    Image.new('RGB', (40, 30)).save(path, exif=exif)
    assert pairs.upright_size(path) == (40, 30)
    assert decode.read_image(path).shape == (30, 40, 3)


def test_a_jpeg_is_decoded_as_finely_as_it_is_shown(tmp_path):
    path = str(tmp_path / 'x.jpg')
    Image.fromarray(blurred_noise(np.random.RandomState(0), 128)).save(path, quality=95)
    whole = np.asarray(Image.open(path).resize((64, 64), Image.BILINEAR)).astype(float)
    assert np.abs(decode.read_image(path, 64) - whole).mean() < 0.3 * whole.std()
