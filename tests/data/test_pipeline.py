import os

import numpy as np
import pytest
import tensorflow as tf

from mmnet import compositing
from mmnet.data import decode, pairs, pipeline
from mmnet.data.augment import PRESETS, Variation
from mmnet.errors import UserError
from tests.helpers import folder, write_split


def batches(pixels, count, **kwargs):
    """The first batches of one data set, or of a list of them."""
    sets = pixels if isinstance(pixels, list) else [pixels]
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(
            pipeline.training_dataset(sets, **kwargs))
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


def drawn(sets, count, **kwargs):
    return [int(image[0, 0, 0]) for features, _ in batches(sets, count, **kwargs)
            for image in features['images']]


def test_several_sets_are_a_union():
    parts = [numbered(12)[:3], numbered(12)[3:4], numbered(12)[4:]]
    assert drawn(parts, 6, batch_size=4, seed=1) == drawn(numbered(12), 6, batch_size=4, seed=1)


def test_weights_make_a_mixture():
    parts = [numbered(12)[:2], numbered(12)[2:]]
    seen = np.array(drawn(parts, 50, batch_size=20, seed=1, weights=(3, 1)))
    assert (seen < 2).mean() == pytest.approx(0.75, abs=0.05)
    # Within a set, every epoch still holds each image once.
    for numbers, low, high in ((seen[seen < 2], 0, 2), (seen[seen >= 2], 2, 12)):
        for start in range(0, len(numbers) - (high - low), high - low):
            assert sorted(numbers[start:start + high - low]) == list(range(low, high))
    assert drawn(parts, 5, batch_size=4, seed=1, weights=(1, 1)) == drawn(
        parts, 5, batch_size=4, seed=1, weights=(2, 2))


def test_every_set_has_a_cache_of_its_own(dataset, tmp_path):
    cache, other = str(tmp_path / 'cache'), write_split(tmp_path / 'other', 'train', 3)
    sets = pairs.find_sets([dataset, other], 'train')
    first, second = pipeline.load_sets(sets, 32, cache)
    assert len(first) == 10 and len(second) == 3
    assert len([name for name in os.listdir(cache) if not name.endswith('.json')]) == 2
    alone, = pipeline.load_sets(pairs.find_sets([other], 'train'), 32, cache)
    np.testing.assert_array_equal(alone, second)
    assert len(os.listdir(cache)) == 4


def test_batches_run_on_across_epochs():
    features, alphas = batches(np.full([2, 16, 16, 4], 255, np.uint8), 1, batch_size=5)[0]
    images, = features.values()
    assert images.shape == (5, 16, 16, 3) and alphas.shape == (5, 16, 16, 1)
    assert images.dtype == alphas.dtype == np.uint8


def test_texture_presets_keep_the_images_as_they_were():
    pixels = np.random.RandomState(0).randint(0, 256, [6, 16, 16, 4]).astype(np.uint8)
    plain, textured = (
        batches(pixels, 1, batch_size=6, seed=1, variation=Variation(PRESETS[name]))[0][0]
        for name in ('mmnet', 'mmnet_texture'))
    assert set(plain) == {'images'} and set(textured) == {'images', 'untextured'}
    # The first image is deformed before anything else is drawn.
    np.testing.assert_array_equal(plain['images'][0], textured['untextured'][0])
    assert (textured['images'] != textured['untextured']).any()


def test_a_seed_makes_batches_reproducible():
    pixels = np.random.RandomState(0).randint(0, 256, [6, 16, 16, 4]).astype(np.uint8)

    def stack(**kwargs):
        return np.stack([features['images']
                         for features, _ in batches(pixels, 6, batch_size=4, **kwargs)])
    np.testing.assert_array_equal(stack(seed=1), stack(seed=1))
    textured = [stack(seed=1, variation=Variation(PRESETS['portraitnet'])) for _ in range(2)]
    np.testing.assert_array_equal(*textured)
    assert (stack(seed=1) != stack(seed=2)).any()
    assert (stack(seed=1) != stack(seed=1, first_step=6)).any()


def test_pixels_are_the_decoded_pairs(dataset):
    found = pairs.find_pairs(dataset, 'train')
    pixels = pipeline.load_pixels(found, 32)
    assert pixels.shape == (10, 32, 32, 4)
    np.testing.assert_array_equal(pixels[3, ..., :3], decode.read_image(found[3].image, 32))
    np.testing.assert_array_equal(pixels[3, ..., 3], decode.read_mask(found[3].mask, 32))


def test_foregrounds_follow_the_alpha(dataset, tmp_path):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    pixels = pipeline.load_pixels(found, 32, foregrounds=True)
    assert pixels.shape == (10, 32, 32, 7)
    np.testing.assert_array_equal(pixels[..., :4], pipeline.load_pixels(found, 32))
    np.testing.assert_array_equal(pixels[3, ..., 4:], compositing.foreground_colours(
        pixels[3, ..., :3], pixels[3, ..., 3] / np.float32(255)))
    np.testing.assert_array_equal(pipeline.load_pixels(found, 32, cache, foregrounds=True), pixels)
    # Pixels with and without them are kept apart.
    assert pipeline.load_pixels(found, 32, cache).shape == (10, 32, 32, 4)
    assert len(os.listdir(cache)) == 4


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
    assert sorted(os.listdir(cache)) == sorted(
        [name for name in os.listdir(cache) if 'rgba32' in name]) and len(os.listdir(cache)) == 2
    with monkeypatch.context() as patch:
        patch.setattr(decode, 'read_image', None)
        np.testing.assert_array_equal(pixels, pipeline.load_pixels(found, 32, cache))
    os.utime(found[0].mask, (0, 0))
    pipeline.load_pixels(found, 32, cache)
    assert len(os.listdir(cache)) == 4


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


def cache_file(cache):
    name, = [name for name in os.listdir(cache) if not name.endswith('.json')]
    return os.path.join(cache, name)


def test_a_cache_made_with_skipping_hides_nothing(dataset, tmp_path):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    with open(found[2].image, 'r+b') as file:
        file.truncate(os.path.getsize(found[2].image) // 2)
    assert len(pipeline.load_pixels(found, 32, cache, skip_bad_pairs=True)) == 9
    assert len(pipeline.load_pixels(found, 32, cache, skip_bad_pairs=True)) == 9
    with pytest.raises(UserError, match='1 bad'):
        pipeline.load_pixels(found, 32, cache)


@pytest.mark.parametrize('rows', [0, 3.5, 9])
def test_a_cache_that_was_cut_is_made_again(dataset, tmp_path, rows):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    expected = np.array(pipeline.load_pixels(found, 32, cache))
    with open(cache_file(cache), 'r+b') as file:
        file.truncate(int(rows * 32 * 32 * 4))
    np.testing.assert_array_equal(pipeline.load_pixels(found, 32, cache), expected)


@pytest.mark.parametrize('note', ['', '5', '{"rows": 10}', '{"rows": 10, "images": []}',
                                  '{"rows": 1, "images": ["/elsewhere.jpg"]}'])
def test_a_cache_with_a_damaged_note_is_made_again(dataset, tmp_path, note):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    pipeline.load_pixels(found, 32, cache)
    with open(cache_file(cache) + '.json', 'w') as file:
        file.write(note)
    assert len(pipeline.load_pixels(found, 32, cache)) == 10


def test_pixels_larger_than_memory_are_refused_before_they_are_allocated(dataset):
    found = pairs.find_sets([dataset], 'train')
    with pytest.raises(UserError, match='--image_size 1000000.*GB.*--cache_dir'):
        pipeline.load_sets(found, 1000000)
