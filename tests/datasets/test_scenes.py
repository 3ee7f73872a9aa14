"""Backgrounds from all sources."""

import numpy as np
import pytest
from PIL import Image

from mmnet.datasets import scenes
from mmnet.errors import UserError


def test_scenes_of_all_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes, 'MOST', 3)
    for index in range(5):
        Image.new('RGB', (40, 30), (index * 40, 0, 0)).save(str(tmp_path / f'{index}.png'))
    pixels = [np.zeros([2, 16, 16, 7], np.uint8), np.full([1, 16, 16, 7], 9, np.uint8)]

    def load(seed=1):
        return scenes.load_scenes(
            scenes.find_sources(['drawn', 'pairs', str(tmp_path)]), pixels, 16, seed)
    found = load()
    assert found.shape == (9, 16, 16, 3) and found.dtype == np.uint8
    assert len(np.unique(found[:3].reshape(3, -1), axis=0)) == 3
    assert sorted(found[3:6, 0, 0, 0]) == [0, 0, 9]
    assert set(found[6:, 0, 0, 0]) <= set(range(0, 200, 40)) and (found[6:, ..., 1:] == 0).all()
    np.testing.assert_array_equal(found, load())
    assert (found != load(seed=2)).any()


def test_a_folder_without_photos_is_named(tmp_path):
    for source, said in ((str(tmp_path), 'holds no photos'), ('nowhere', 'no such folder')):
        with pytest.raises(UserError, match=f'--backgrounds .*{said}'):
            scenes.load_scenes(scenes.find_sources([source]), [], 16, 0)


def test_the_scenes_of_pairs_are_without_their_people():
    photo = np.full([16, 16, 4], 40, np.uint8)
    photo[..., 3] = 0
    photo[6:, 5:10] = 255
    found = scenes.load_scenes([(scenes.PAIRS, [])], [photo[np.newaxis]], 16, 0)
    assert found.shape == (1, 16, 16, 3) and abs(found.astype(int) - 40).max() <= 1


def test_another_seed_takes_other_photos_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes, 'MOST', 2)
    for index in range(4):
        Image.new('RGB', (20, 20), (index * 40, 0, 0)).save(str(tmp_path / f'{index}.png'))
    sources = scenes.find_sources([str(tmp_path)])
    seen = {red for seed in range(10)
            for red in scenes.load_scenes(sources, [], 16, seed)[:, 0, 0, 0]}
    assert seen == {0, 40, 80, 120}
