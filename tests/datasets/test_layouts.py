"""Layouts of sets, in one process; tests/end_to_end prepares a look-alike of each."""

import os

import numpy as np
import pytest
import scipy.io
from PIL import Image

from mmnet.datasets import layouts
from mmnet.errors import UserError

MASK = np.zeros([8, 6], np.uint8)
MASK[2:, 1:5] = 255


def save(path, pixels=MASK):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(pixels).save(str(path))


def found(layout):
    return {item.stem: item.split for item in layout.items}


def test_two_folders(tmp_path):
    for stem in ('a', 'b', 'c'):
        save(tmp_path / 'image' / 'deep' / (stem + '.jpg'))
    for stem in ('a_mask', 'b_mask', 'd_mask', 'e'):
        save(tmp_path / 'mask' / (stem + '.png'))
    # Masks of other folders do not count.
    with pytest.raises(UserError, match='no photo in image has a mask in mask; give masks'):
        layouts.folder(str(tmp_path), mask_suffix='_mask')
    for stem in ('a', 'b'):
        save(tmp_path / 'mask' / 'deep' / (stem + '_mask.png'))
        os.remove(str(tmp_path / 'mask' / (stem + '_mask.png')))
    layout = layouts.folder(str(tmp_path), mask_suffix='_mask')
    assert found(layout) == {'deep_a': None, 'deep_b': None}
    np.testing.assert_array_equal(layout.items[0].read_mask(), MASK)
    assert sorted((os.path.basename(path), reason) for path, reason in layout.problems) == [
        ('c.jpg', 'an image without a mask'), ('d_mask.png', 'a mask without an image')]
    with pytest.raises(UserError, match='no such folder'):
        layouts.folder(str(tmp_path), image_folder='photos')


def test_linked_folders_are_read_once(tmp_path):
    for kind in ('image', 'mask'):
        save(tmp_path / 'elsewhere' / kind / 'a.png')
        save(tmp_path / 'set' / kind / 'b.png')
        (tmp_path / 'set' / kind / 'session').symlink_to(tmp_path / 'elsewhere' / kind)
        (tmp_path / 'set' / kind / 'again').symlink_to(tmp_path / 'set' / kind)
    layout = layouts.folder(str(tmp_path / 'set'))
    assert found(layout) == {'b': None, 'session_a': None} and layout.problems == []


def test_a_forgotten_suffix_is_guessed(tmp_path):
    for name in ('image/1.jpg', 'image/2.jpg', 'mask/1_alpha.png', 'mask/2_alpha.png'):
        save(tmp_path / name)
    with pytest.raises(UserError, match='masks seem to end in _alpha: give that as --mask_suffix'):
        layouts.folder(str(tmp_path))


def test_photos_and_masks_side_by_side(tmp_path):
    for name in ('ann/1.jpg', 'ann/1_alpha.png', 'bob/1.jpg', 'bob/1_alpha.png', 'bob/2.jpg'):
        save(tmp_path / name)
    with pytest.raises(UserError, match='holds the photos, too; give the ending'):
        layouts.folder(str(tmp_path), '.', './')
    layout = layouts.folder(str(tmp_path), '.', '.', '_alpha')
    assert found(layout) == {'ann_1': None, 'bob_1': None}
    assert [(os.path.basename(path), reason) for path, reason in layout.problems] == [
        ('2.jpg', 'an image without a mask')]


def test_eg1800_takes_its_lists_and_matrices(tmp_path):
    for number in (1, 2, 3):
        save(tmp_path / 'images_data_crop' / f'{number:05}.jpg')
        os.makedirs(str(tmp_path / 'images_mask'), exist_ok=True)
        scipy.io.savemat(str(tmp_path / 'images_mask' / f'{number:05}_mask.mat'),
                         {'mask': MASK // 255})
    scipy.io.savemat(str(tmp_path / 'trainlist.mat'), {'trainlist': [[1]]})
    scipy.io.savemat(str(tmp_path / 'testlist.mat'), {'testlist': [[3]]})
    layout = layouts.eg1800(str(tmp_path))
    assert found(layout) == {'00001': 'train', '00003': 'test'}
    np.testing.assert_array_equal(layout.items[0].read_mask(), MASK)
    assert [os.path.basename(path) for path, _ in layout.problems] == ['00002.jpg']


def test_every_set_names_a_missing_folder(tmp_path):
    for name, layout in layouts.LAYOUTS.items():
        with pytest.raises(UserError, match=str(tmp_path / 'nowhere')):
            layout(str(tmp_path / 'nowhere'))


def test_photos_that_share_a_name_are_both_left_out(tmp_path):
    for path in ('image/2.jpg', 'image/2.png', 'image/3.jpg', 'mask/2.png', 'mask/3.png'):
        save(tmp_path / path)
    layout = layouts.folder(str(tmp_path))
    assert found(layout) == {'3': None}
    reasons = {os.path.relpath(path, str(tmp_path)): reason for path, reason in layout.problems}
    assert set(reasons) == {'image/2.jpg', 'image/2.png', 'mask/2.png'}
    assert reasons['image/2.png'] == f'has the name of another ({tmp_path}/image/2.jpg)'


def test_a_photo_and_its_preview_share_a_name(tmp_path):
    for path in ('photos/00001.jpg', 'previews/00001.jpg', 'photos/00002.jpg'):
        save(tmp_path / path)
    os.makedirs(str(tmp_path / 'images_mask'))
    for stem in ('00001', '00002'):
        scipy.io.savemat(str(tmp_path / f'images_mask/{stem}_mask.mat'), {'mask': MASK // 255})
    layout = layouts.eg1800(str(tmp_path))
    assert list(found(layout)) == ['00002']
    assert [reason.split(' (')[0] for _, reason in layout.problems] == [
        'a mask without an image', 'has the name of another', 'has the name of another']


def test_eg1800_takes_the_cropped_photos_where_both_are_there(tmp_path):
    for path in ('images_data_crop/00001.jpg', 'images_data/00001.jpg'):
        save(tmp_path / path)
    for folder, name, matrix in (('images_mask', '00001_mask', 'mask'),
                                 ('portraitFCN_data', '00001', 'img'),
                                 ('images_tracker', '00001', 'tracker')):
        os.makedirs(str(tmp_path / folder))
        scipy.io.savemat(str(tmp_path / folder / f'{name}.mat'), {matrix: MASK // 255})
    layout = layouts.eg1800(str(tmp_path))
    assert layout.problems == []
    item, = layout.items
    assert item.image == str(tmp_path / 'images_data_crop' / '00001.jpg')
