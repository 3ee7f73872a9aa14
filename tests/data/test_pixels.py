import os
import subprocess
import sys

import numpy as np
import pytest

from mmnet import compositing
from mmnet.data import decode, pairs
from mmnet.data.pixels import Load, check_memory, load_pixels, load_sets
from mmnet.errors import UserError
from tests.helpers import folder, write_split


def test_every_set_has_a_cache_of_its_own(dataset, tmp_path):
    cache, other = str(tmp_path / 'cache'), write_split(tmp_path / 'other', 'train', 3)
    sets = pairs.find_sets([dataset, other], 'train')
    first, second = load_sets(sets, 32, cache)
    assert len(first) == 10 and len(second) == 3
    assert len([name for name in os.listdir(cache) if not name.endswith('.json')]) == 2
    alone, = load_sets(pairs.find_sets([other], 'train'), 32, cache)
    np.testing.assert_array_equal(alone, second)
    assert len(os.listdir(cache)) == 4


def test_pixels_are_the_decoded_pairs(dataset):
    found = pairs.find_pairs(dataset, 'train')
    pixels = load_pixels(found, 32)
    assert pixels.shape == (10, 32, 32, 4)
    np.testing.assert_array_equal(pixels[3, ..., :3], decode.read_image(found[3].image, 32))
    np.testing.assert_array_equal(pixels[3, ..., 3], decode.read_mask(found[3].mask, 32))


def test_foregrounds_follow_the_alpha(dataset, tmp_path):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    pixels = load_pixels(found, 32, foregrounds=True)
    assert pixels.shape == (10, 32, 32, 7)
    np.testing.assert_array_equal(pixels[..., :4], load_pixels(found, 32))
    np.testing.assert_array_equal(pixels[3, ..., 4:], compositing.foreground_colours(
        pixels[3, ..., :3], pixels[3, ..., 3] / np.float32(255)))
    np.testing.assert_array_equal(load_pixels(found, 32, cache, foregrounds=True), pixels)
    # Pixels with and without them are kept apart.
    assert load_pixels(found, 32, cache).shape == (10, 32, 32, 4)
    assert len(os.listdir(cache)) == 4


def test_photos_without_masks(dataset, capsys):
    photos = folder(dataset, 'image')
    found = pairs.find_photos(photos)
    assert [pair.stem for pair in found] == [f'{i:03}' for i in range(10)]
    pixels = load_pixels(found, 32)
    np.testing.assert_array_equal(pixels[3, ..., :3], decode.read_image(found[3].image, 32))
    assert (pixels[..., 3] == 0).all()
    with open(photos + '/004.jpg', 'w') as file:
        file.write('no picture')
    with pytest.raises(UserError, match='1 bad'):
        pairs.find_photos(photos)
    assert 'image/004.jpg' in capsys.readouterr().err
    assert len(pairs.find_photos(photos, skip_bad_pairs=True)) == 9
    for path, complaint in ((dataset, 'holds no photos'), (dataset + '/x', 'no such folder')):
        with pytest.raises(UserError, match='--dataset_path.*' + complaint):
            pairs.find_photos(path)


def test_the_cache_is_used_until_the_dataset_changes(dataset, tmp_path, monkeypatch):
    found = pairs.find_pairs(dataset, 'train')
    cache = str(tmp_path / 'cache')
    pixels = load_pixels(found, 32, cache)
    np.testing.assert_array_equal(pixels, load_pixels(found, 32))
    assert sorted(os.listdir(cache)) == sorted(
        [name for name in os.listdir(cache) if 'rgba32' in name]) and len(os.listdir(cache)) == 2
    with monkeypatch.context() as patch:
        patch.setattr(decode, 'read_image', None)
        np.testing.assert_array_equal(pixels, load_pixels(found, 32, cache))
    os.utime(found[0].mask, (0, 0))
    load_pixels(found, 32, cache)
    assert len(os.listdir(cache)) == 4


def test_truncated_files_are_listed_and_can_be_skipped(dataset, tmp_path, capsys):
    found = pairs.find_pairs(dataset, 'train')
    for path in (found[2].image, found[5].mask):
        with open(path, 'r+b') as file:
            file.truncate(os.path.getsize(path) // 2)
    for cache in (None, str(tmp_path / 'cache')):
        with pytest.raises(UserError, match='2 bad'):
            load_pixels(found, 32, cache)
        errors = capsys.readouterr().err
        assert 'image/002.jpg' in errors and 'mask/005.png' in errors
        pixels = load_pixels(found, 32, cache, skip_bad_pairs=True)
        np.testing.assert_array_equal(pixels[2, ..., 3], decode.read_mask(found[3].mask, 32))
        assert len(pixels) == 8
        # What was written for the failed start was used; what is there is whole.
        assert cache is None or [name for name in os.listdir(cache) if 'partial' in name] == []


KILLED = '''
import os, sys
from mmnet.data import decode, pairs, pixels
pixels.AT_ONCE = 3
read, seen = decode.read_image, []
def read_image(path, size):
    seen.append(path)
    # The eighth photo is in the third part.
    if len(seen) == 8:
        os.kill(os.getpid(), 9)
    return read(path, size)
decode.read_image = read_image
pixels.load_pixels(pairs.find_pairs(sys.argv[1], 'train'), 32, sys.argv[2])
'''


@pytest.mark.parametrize('damage', [
    None, lambda path: os.remove(path + '.json'), lambda path: os.truncate(path, 100),
    lambda path: os.truncate(path + '.json', 20)])
def test_a_killed_build_goes_on_where_it_was(dataset, tmp_path, monkeypatch, damage):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    ended = subprocess.run([sys.executable, '-c', KILLED, dataset, cache])
    assert ended.returncode == -9
    partial, = [name for name in os.listdir(cache) if name.endswith('.partial')]
    if damage:
        damage(os.path.join(cache, partial))
    read, again = decode.read_image, []
    monkeypatch.setattr(decode, 'read_image', lambda path, size: again.append(path) or
                        read(path, size))
    pixels = load_pixels(found, 32, cache)
    # A note or rows that are not whole are not trusted.
    assert sorted(again) == [pair.image for pair in found[0 if damage else 6:]]
    np.testing.assert_array_equal(pixels, load_pixels(found, 32))
    assert not any('partial' in name for name in os.listdir(cache))


def test_a_cache_that_cannot_be_written_is_named(dataset, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='--cache_dir'):
        load_pixels(pairs.find_pairs(dataset, 'train'), 32, str(tmp_path / 'file' / 'x'))


def cache_file(cache):
    name, = [name for name in os.listdir(cache) if not name.endswith('.json')]
    return os.path.join(cache, name)


def test_a_cache_made_with_skipping_hides_nothing(dataset, tmp_path):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    with open(found[2].image, 'r+b') as file:
        file.truncate(os.path.getsize(found[2].image) // 2)
    assert len(load_pixels(found, 32, cache, skip_bad_pairs=True)) == 9
    assert len(load_pixels(found, 32, cache, skip_bad_pairs=True)) == 9
    with pytest.raises(UserError, match='1 bad'):
        load_pixels(found, 32, cache)


@pytest.mark.parametrize('rows', [0, 3.5, 9])
def test_a_cache_that_was_cut_is_made_again(dataset, tmp_path, rows):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    expected = np.array(load_pixels(found, 32, cache))
    with open(cache_file(cache), 'r+b') as file:
        file.truncate(int(rows * 32 * 32 * 4))
    np.testing.assert_array_equal(load_pixels(found, 32, cache), expected)


@pytest.mark.parametrize('note', ['', '5', '{"rows": 10}', '{"rows": 10, "images": []}',
                                  '{"rows": 1, "images": ["/elsewhere.jpg"]}'])
def test_a_cache_with_a_damaged_note_is_made_again(dataset, tmp_path, note):
    found, cache = pairs.find_pairs(dataset, 'train'), str(tmp_path / 'cache')
    load_pixels(found, 32, cache)
    with open(cache_file(cache) + '.json', 'w') as file:
        file.write(note)
    assert len(load_pixels(found, 32, cache)) == 10


def test_pixels_larger_than_memory_are_refused_before_they_are_allocated(dataset):
    found = pairs.find_sets([dataset], 'train')
    with pytest.raises(UserError, match='--dataset_path: .*GB.*--image_size.*--cache_dir'):
        load_sets(found, 1000000)
    with pytest.raises(UserError, match='10 photos in each of 1000000000 workers take'):
        check_memory([Load(10, 32, False)], workers=10 ** 9)
    # Neither alone is too much.
    most = Load(int(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / (7 * 100 ** 2)) - 1,
                100, True)
    check_memory([most])
    with pytest.raises(UserError, match='--cache_dir'):
        check_memory([most, most])
