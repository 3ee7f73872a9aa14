import os

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mmnet.data import augment, decode, pairs, pipeline
from mmnet.errors import UserError
from tests.conftest import write_split


def folder(dataset, kind, split='train'):
    return os.path.join(dataset, split, kind)


# --- pairs ---

def test_pairs_by_stem_whatever_the_extension(dataset):
    os.rename(folder(dataset, 'image') + '/000.jpg', folder(dataset, 'image') + '/000.JPEG')
    os.rename(folder(dataset, 'mask') + '/001.png', folder(dataset, 'mask') + '/001.PNG')
    open(folder(dataset, 'mask') + '/Thumbs.db', 'w').close()
    found = pairs.find_pairs(dataset, 'train')
    assert [pair.stem for pair in found] == [f'{i:03}' for i in range(10)]
    assert found[0].image.endswith('000.JPEG') and found[1].mask.endswith('001.PNG')


def test_masks_may_be_smaller_up_to_rounding():
    assert pairs.same_aspect((600, 800), (150, 200))
    assert pairs.same_aspect((601, 799), (150, 200))
    assert not pairs.same_aspect((600, 800), (200, 150))
    assert not pairs.same_aspect((600, 800), (160, 200))


def spoil(dataset):
    """One of each kind of bad file; returns their names."""
    image, mask = folder(dataset, 'image'), folder(dataset, 'mask')
    os.remove(mask + '/000.png')
    os.remove(image + '/001.jpg')
    open(image + '/002.jpg', 'w').close()
    with open(mask + '/003.png', 'w') as file:
        file.write('no picture')
    Image.new('L', (96, 72)).save(mask + '/004.png')
    Image.new('RGB', (72, 96)).save(image + '/005.png')
    return ['image/000.jpg', 'mask/001.png', 'image/002.jpg', 'mask/003.png', 'mask/004.png',
            'image/005.png']


def test_all_bad_files_are_listed_at_once(dataset, capsys):
    names = spoil(dataset)
    with pytest.raises(UserError, match='6 bad.*--skip_bad_pairs.*4 good'):
        pairs.find_pairs(dataset, 'train')
    lines = capsys.readouterr().err.strip().split('\n')
    assert len(lines) == len(names)
    for name in names:
        assert sum(name in line for line in lines) == 1, name


def test_bad_pairs_can_be_skipped(dataset, capsys):
    spoil(dataset)
    found = pairs.find_pairs(dataset, 'train', skip_bad_pairs=True)
    assert [pair.stem for pair in found] == ['006', '007', '008', '009']
    assert 'skipped 6' in capsys.readouterr().err


@pytest.mark.parametrize('skip', [False, True])
def test_an_empty_split_is_refused(tmp_path, skip):
    with pytest.raises(UserError, match='no image/mask pairs'):
        pairs.find_pairs(write_split(tmp_path, 'train', 0), 'train', skip)


def test_a_missing_split_is_refused(dataset):
    with pytest.raises(UserError, match='val/image.*--dataset_split_name'):
        pairs.find_pairs(dataset, 'val')


def test_headers_are_read_upright(tmp_path):
    exif = Image.Exif()
    exif[pairs.ORIENTATION_TAG] = 6
    for name in ('a.jpg', 'a.png'):
        Image.new('RGB', (40, 30)).save(str(tmp_path / name), exif=exif)
        assert pairs.upright_size(str(tmp_path / name)) == (30, 40)
        assert decode.read_image(str(tmp_path / name)).shape == (40, 30, 3)
        assert decode.read_mask(str(tmp_path / name)).shape == (40, 30)


# --- decoding ---

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


def test_bilevel_masks(tmp_path):
    path = save(tmp_path, Image.fromarray(GREY > 100))
    np.testing.assert_array_equal(decode.read_mask(path), (GREY > 100) * 255)


def test_the_alpha_of_a_cut_out_is_the_mask(tmp_path):
    rgba = np.dstack([np.full_like(GREY, 200), np.full_like(GREY, 100), GREY, GREY])
    path = save(tmp_path, Image.fromarray(rgba))
    np.testing.assert_array_equal(decode.read_mask(path), GREY)
    opaque = np.dstack([rgba[..., :3], np.full_like(GREY, 255)])
    assert (decode.read_mask(save(tmp_path, Image.fromarray(opaque))) == 255).all()


def test_the_transparency_of_a_palette_is_the_mask(tmp_path):
    image = Image.fromarray((GREY > 100).astype(np.uint8), mode='P')
    image.putpalette([10, 20, 30, 200, 100, 50])
    path = str(tmp_path / 'x.png')
    image.save(path, transparency=0)
    np.testing.assert_array_equal(decode.read_mask(path), (GREY > 100) * 255)


def test_masks_of_class_labels_are_refused(tmp_path):
    with pytest.raises(ValueError, match='0 and 1'):
        decode.read_mask(save(tmp_path, Image.fromarray((GREY > 100).astype(np.uint8))))


def test_rotated_photos_come_out_upright(tmp_path):
    upright = np.zeros([32, 24, 3], np.uint8)
    upright[:8] = 255
    exif = Image.Exif()
    exif[pairs.ORIENTATION_TAG] = 6  # turn clockwise to show
    path = str(tmp_path / 'x.jpg')
    Image.fromarray(np.rot90(upright)).save(path, exif=exif, quality=100)
    np.testing.assert_allclose(decode.read_image(path).astype(int), upright, atol=3)
    assert decode.read_image(path, size=16)[:3].min() > 240


def test_resizing_averages_over_pixels(tmp_path):
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    path = save(tmp_path, Image.fromarray(checks.astype(np.uint8)))
    np.testing.assert_allclose(decode.read_mask(path, 16), 127, atol=2)
    np.testing.assert_array_equal(decode.read_mask(path, 16),
                                  decode.resize_mask(decode.read_mask(path), 16))


# --- augmentation ---

def corners(transform, size):
    """Where the result's corners lie in the source, in pixels covered: [0, size] is inside."""
    edge = np.array([[x, y, 1] for x in (-0.5, size - 0.5) for y in (-0.5, size - 0.5)])
    return edge.dot(transform.T) + 0.5


def test_no_transform_shows_an_empty_corner():
    rng = np.random.RandomState(0)
    scales, angles, flips = [], [], []
    for _ in range(5000):
        transform = augment.random_transform(rng, 64)
        assert corners(transform, 64).min() > -1e-9 and corners(transform, 64).max() < 64 + 1e-9
        linear = transform[:, :2]
        scales.append(np.linalg.norm(linear[:, 1]) ** -1)
        angles.append(np.degrees(np.arctan2(-linear[0, 1], linear[1, 1])))
        flips.append(np.linalg.det(linear) < 0)
    angles, scales = np.array(angles), np.array(scales)
    upright = angles == 0
    assert upright.mean() == pytest.approx(0.5, abs=0.03)
    assert np.mean(flips) == pytest.approx(0.5, abs=0.03)
    assert 14.5 < angles.max() <= 15 and -15 <= angles.min() < -14.5
    assert 1 <= scales[upright].min() < 1.01 and 1.14 < scales[upright].max() <= 1.15
    # A rotated image is scaled no further than its corners need.
    assert scales.max() < np.sqrt(1.5) + 1e-6


def blurred_noise(rng, size=64):
    return cv2.GaussianBlur(rng.randint(0, 256, [size, size, 3], np.uint8), (9, 9), 3)


@pytest.mark.parametrize('name', sorted(augment.PRESETS))
def test_image_and_mask_stay_aligned(name):
    rng = np.random.RandomState(0)
    base = blurred_noise(rng)
    pixels = np.stack([np.dstack([base, base[..., 1]])] * 2)
    images, alphas, *untextured = augment.augment_batch(pixels, np.array([0, 1] * 8),
                                                        augment.PRESETS[name], rng)
    assert bool(untextured) == (name in ('portraitnet', 'mmnet_texture'))
    untextured = untextured[0] if untextured else images
    assert images.shape == (16, 64, 64, 3) and alphas.shape == (16, 64, 64, 1)
    assert images.dtype == untextured.dtype == np.uint8
    # Outside the photo, which only PortraitNet's deformations show, there is a colour without
    # foreground.
    same = untextured[..., 1] == alphas[..., 0]
    assert same.all() if name.startswith('mmnet') else 0.6 < same.mean() < 1
    assert len(np.unique(untextured.reshape(16, -1), axis=0)) > 12


def test_the_warp_follows_its_transform():
    """Pixel values that tell their own place show where each pixel came from."""
    y, x = np.mgrid[:64, :64].astype(np.uint8)
    pixels = np.dstack([x, y, x, y])[np.newaxis]
    transform = augment.random_transform(np.random.RandomState(5), 64)
    preset = augment.PRESETS['mmnet']._replace(transform=lambda rng, size: transform)
    images, alphas = augment.augment_batch(pixels, np.array([0]), preset, None)
    grid = np.dstack([x, y, np.ones_like(x)]).astype(float)
    expected = np.clip(grid.dot(transform.T), 0, 63)
    np.testing.assert_allclose(images[0, ..., :2], expected, atol=0.6)
    np.testing.assert_allclose(alphas[0, ..., 0], expected[..., 1], atol=0.6)


def test_portraitnets_deformations_have_its_ranges():
    rng = np.random.RandomState(0)
    scales, angles, flips, shifts = [], [], [], []
    for _ in range(5000):
        transform = augment.random_deformation(rng, 64)
        linear = transform[:, :2]
        scales.append(np.linalg.norm(linear[:, 1]) ** -1)
        angles.append(np.degrees(np.arctan2(-linear[0, 1], linear[1, 1])))
        flips.append(np.linalg.det(linear) < 0)
        # Where the result's centre lies in the source.
        shifts.append((transform.dot([31.5, 31.5, 1]) - 31.5) / 64)
    for drawn, neutral, low, high in ((scales, 1, 0.5, 1.5), (angles, 0, -45, 45),
                                      (np.ravel(shifts), 0, -0.25, 0.25)):
        still = np.isclose(drawn, neutral, atol=1e-9)
        assert still.mean() == pytest.approx(0.5, abs=0.03)
        span = high - low
        assert low - 1e-9 <= np.min(drawn) < low + 0.02 * span
        assert high - 0.02 * span < np.max(drawn) <= high + 1e-9
    assert np.mean(flips) == pytest.approx(0.5, abs=0.03)


def test_what_lies_outside_a_photo_is_no_foreground():
    pixels = np.full([1, 64, 64, 4], 255, np.uint8)
    preset = augment.PRESETS['portraitnet_deformation']._replace(
        transform=lambda rng, size: np.array([[2.0, 0, -32], [0, 2.0, -32]]))
    images, alphas = augment.augment_batch(pixels, np.array([0]), preset, None)
    assert (alphas[0, 20:44, 20:44] == 255).all() and (images[0, 20:44, 20:44] == 255).all()
    assert (alphas[0, :12] == 0).all() and (images[0, :12] == (124, 117, 104)).all()


class Drawn:
    """A source of randomness whose decisions are given: which textures, and how strong."""

    def __init__(self, decisions, strengths=()):
        self.decisions, self.strengths = list(decisions), list(strengths)

    def uniform(self, low=0, high=1, size=None):
        if size is not None:
            return np.array([0.0 if self.decisions.pop(0) else 1.0 for _ in range(size)])
        if (low, high) == (0, 1):
            return 0.0 if self.decisions.pop(0) else 1.0
        self.bounds = low, high
        return self.strengths.pop(0)

    def randint(self, high):
        return 7

    def choice(self, values):
        return values[-1]


IMAGE = blurred_noise(np.random.RandomState(3)).astype(float)
GREY_OF = IMAGE.dot([0.299, 0.587, 0.114])


@pytest.mark.parametrize('which, bounds, strength, expected', [
    (2, (0.4, 1.7), 0.4, 0.4 * IMAGE + 0.6 * GREY_OF[..., None]),
    (3, (0.4, 1.7), 0.5, 0.5 * IMAGE),
    (3, (0.4, 1.7), 1.7, np.minimum(1.7 * IMAGE, 255)),
    (4, (0.6, 1.5), 0.6, 0.6 * IMAGE + 0.4 * GREY_OF.mean())])
def test_colour_brightness_and_contrast(which, bounds, strength, expected):
    rng = Drawn([each == which for each in range(6)], [strength])
    textured = augment.random_texture(IMAGE.astype(np.uint8), rng)
    assert rng.bounds == bounds and not rng.decisions
    np.testing.assert_allclose(textured, expected, atol=1.6)


def test_sharpness_moves_away_from_or_towards_a_smoothed_image():
    image = IMAGE.astype(np.uint8)
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = cv2.filter2D(IMAGE, -1, kernel)
    for strength in (0.8, 1.3):
        rng = Drawn([False] * 5 + [True], [strength])
        textured = augment.random_texture(image, rng)
        assert rng.bounds == (0.8, 1.3)
        expected = (strength * IMAGE + (1 - strength) * smooth).clip(0, 255)
        np.testing.assert_allclose(textured[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1.6)


def test_noise_and_blur():
    grey = np.full([128, 128, 3], 128, np.uint8)
    noise = augment.random_texture(grey, Drawn([True] + [False] * 5)).astype(float) - 128
    assert noise.std() == pytest.approx(10, rel=0.03) and abs(noise.mean()) < 0.2
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.03
    point = np.zeros([9, 9, 3], np.uint8)
    point[4, 4] = 255
    blurred = augment.random_texture(point, Drawn([False, True] + [False] * 4))
    assert (blurred[2:7, 2:7] > 0).all() and blurred[2:7, 2:7].sum() == blurred.sum()


def test_textures_come_one_by_one():
    rng = np.random.RandomState(0)
    image = IMAGE.astype(np.uint8)
    kept = np.mean([np.array_equal(augment.random_texture(image, rng), image)
                    for _ in range(3000)])
    # Six coins all on one side; an enhancement by nearly 1 changes nothing either.
    assert 0.5 ** 6 / 2 < kept < 0.5 ** 6 * 4


# --- pipeline ---

def batches(pixels, count, **kwargs):
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(
            pipeline.training_dataset(pixels, **kwargs))
        following = iterator.get_next()
        with tf.Session() as session:
            session.run(iterator.initializer)
            return [session.run(following) for _ in range(count)]


def numbered(count):
    """Images that are their own index all over, so that no warp changes them."""
    return np.tile(np.arange(count, dtype=np.uint8)[:, None, None, None], [1, 16, 16, 4])


def test_every_epoch_holds_each_image_once():
    seen = [int(image[0, 0, 0])
            for features, _ in batches(numbered(12), 9, batch_size=4)
            for image in features['images']]
    for epoch in range(3):
        assert sorted(seen[12 * epoch:12 * (epoch + 1)]) == list(range(12))
    assert seen[:12] != seen[12:24]


def test_batches_run_on_across_epochs():
    features, alphas = batches(np.full([2, 16, 16, 4], 255, np.uint8), 1, batch_size=5)[0]
    images, = features.values()
    assert images.shape == (5, 16, 16, 3) and alphas.shape == (5, 16, 16, 1)
    assert images.dtype == alphas.dtype == np.uint8


def test_texture_presets_keep_the_images_as_they_were():
    pixels = np.random.RandomState(0).randint(0, 256, [6, 16, 16, 4]).astype(np.uint8)
    plain, textured = (batches(pixels, 1, batch_size=6, seed=1, augmentation=name)[0][0]
                       for name in ('mmnet', 'mmnet_texture'))
    assert set(plain) == {'images'} and set(textured) == {'images', 'untextured'}
    # The first image is deformed before anything else is drawn.
    np.testing.assert_array_equal(plain['images'][0], textured['untextured'][0])
    assert (textured['images'] != textured['untextured']).any()


def test_pixels_as_floats_are_in_the_unit_range():
    with tf.Session() as session:
        floats = session.run(pipeline.as_float(tf.constant([0, 51, 255], tf.uint8)))
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, [0, 0.2, 1], atol=1e-6)


def test_a_seed_makes_batches_reproducible():
    pixels = np.random.RandomState(0).randint(0, 256, [6, 16, 16, 4]).astype(np.uint8)

    def stack(**kwargs):
        return np.stack([features['images']
                         for features, _ in batches(pixels, 6, batch_size=4, **kwargs)])
    np.testing.assert_array_equal(stack(seed=1), stack(seed=1))
    textured = [stack(seed=1, augmentation='portraitnet') for _ in range(2)]
    np.testing.assert_array_equal(*textured)
    assert (stack(seed=1) != stack(seed=2)).any()
    assert (stack(seed=1) != stack(seed=1, first_step=6)).any()


def test_pixels_are_the_decoded_pairs(dataset):
    found = pairs.find_pairs(dataset, 'train')
    pixels = pipeline.load_pixels(found, 32)
    assert pixels.shape == (10, 32, 32, 4)
    np.testing.assert_array_equal(pixels[3, ..., :3], decode.read_image(found[3].image, 32))
    np.testing.assert_array_equal(pixels[3, ..., 3], decode.read_mask(found[3].mask, 32))


def test_photos_without_masks(dataset, capsys):
    photos = folder(dataset, 'image')
    found = pairs.find_photos(photos)
    assert [pair.stem for pair in found] == [f'{i:03}' for i in range(10)]
    pixels = pipeline.load_pixels(found, 32)
    np.testing.assert_array_equal(pixels[3, ..., :3], decode.read_image(found[3].image, 32))
    assert (pixels[..., 3] == 0).all()
    with open(photos + '/004.jpg', 'w') as file:
        file.write('no picture')
    with pytest.raises(UserError, match='1 bad'):
        pairs.find_photos(photos)
    assert 'image/004.jpg' in capsys.readouterr().err
    assert len(pairs.find_photos(photos, skip_bad=True)) == 9
    for path, complaint in ((dataset, 'holds no photos'), (dataset + '/x', 'no such folder')):
        with pytest.raises(UserError, match='--dataset_path.*' + complaint):
            pairs.find_photos(path)


def test_the_cache_is_used_until_the_dataset_changes(dataset, tmp_path, monkeypatch):
    found = pairs.find_pairs(dataset, 'train')
    cache = str(tmp_path / 'cache')
    pixels = pipeline.load_pixels(found, 32, cache)
    np.testing.assert_array_equal(pixels, pipeline.load_pixels(found, 32))
    assert len(os.listdir(cache)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(decode, 'read_image', None)
        np.testing.assert_array_equal(pixels, pipeline.load_pixels(found, 32, cache))
    os.utime(found[0].mask, (0, 0))
    pipeline.load_pixels(found, 32, cache)
    assert len(os.listdir(cache)) == 2


def test_truncated_files_are_listed_and_can_be_skipped(dataset, tmp_path, capsys):
    found = pairs.find_pairs(dataset, 'train')
    for path in (found[2].image, found[5].mask):
        with open(path, 'r+b') as file:
            file.truncate(os.path.getsize(path) // 2)
    for cache in (None, str(tmp_path / 'cache')):
        with pytest.raises(UserError, match='2 bad'):
            pipeline.load_pixels(found, 32, cache)
        errors = capsys.readouterr().err
        assert 'image/002.jpg' in errors and 'mask/005.png' in errors
        pixels = pipeline.load_pixels(found, 32, cache, skip_bad_pairs=True)
        np.testing.assert_array_equal(pixels[2, ..., 3], decode.read_mask(found[3].mask, 32))
        assert len(pixels) == 8
        # What was written for the failed start is gone; what is there is whole.
        assert cache is None or [n for n in os.listdir(cache) if n.endswith('partial')] == []


def test_a_cache_that_cannot_be_written_is_named(dataset, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='--cache_dir'):
        pipeline.load_pixels(pairs.find_pairs(dataset, 'train'), 32, str(tmp_path / 'file' / 'x'))
