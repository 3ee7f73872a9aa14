import os

import pytest
from PIL import Image

from mmnet import scores
from mmnet.data import decode, pairs
from mmnet.errors import UserError
from tests.helpers import folder, write_split


def test_frames_are_sorted_by_their_numbers():
    """A raised two is a digit, and no number."""
    stems = ['a10', 'a9', 'a²', 'b1', 'a010x']
    assert sorted(stems, key=pairs.frame_order)[:3] == ['a9', 'a10', 'a010x']


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
        pairs.find_pairs(dataset, 'train', skip_bad_pairs=False)
    lines = capsys.readouterr().err.strip().split('\n')
    assert len(lines) == len(names)
    for name in names:
        assert sum(name in line for line in lines) == 1, name


def test_a_program_without_the_flag_does_not_advise_it(dataset):
    spoil(dataset)
    with pytest.raises(UserError) as error:
        pairs.find_pairs(dataset, 'train')
    assert '6 bad' in str(error.value) and 'skip_bad' not in str(error.value)


def test_a_folder_of_bad_photos_is_named(tmp_path, capsys):
    (tmp_path / 'one.jpg').write_bytes(b'no photo')
    with pytest.raises(UserError, match='none of its files can be used'):
        pairs.find_photos(str(tmp_path), skip_bad_pairs=True)
    assert 'one.jpg' in capsys.readouterr().err


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


def test_names_need_not_be_utf8(dataset):
    """Old archives hold names in other encodings."""
    for kind, extension in (('image', b'.jpg'), ('mask', b'.png')):
        place = os.fsencode(folder(dataset, kind))
        os.rename(place + b'/003' + extension, place + b'/Jos\xe9' + extension)
    found = pairs.find_sets([dataset], 'train')
    described, = pairs.describe(found).values()
    assert described['pairs'] == 10
    kept, held = pairs.hold_out(*found.values(), 0.5)
    assert len(kept) + len(held) == 10 and kept and held


def test_headers_are_read_upright(tmp_path):
    exif = Image.Exif()
    exif[decode.ORIENTATION_TAG] = 6
    for name in ('a.jpg', 'a.png'):
        Image.new('RGB', (40, 30)).save(str(tmp_path / name), exif=exif)
        assert pairs.upright_size(str(tmp_path / name)) == (30, 40)
        assert decode.read_image(str(tmp_path / name)).shape == (40, 30, 3)
        assert decode.read_mask(str(tmp_path / name)).shape == (40, 30)


@pytest.mark.parametrize('size', [(1, 1), (3000, 1), (8, 12)])
def test_masks_too_small_for_the_metrics_are_named(dataset, size, capsys):
    for kind in ('image', 'mask'):
        Image.new('L', size, 255).save(folder(dataset, kind) + '/tiny.png')
    with pytest.raises(UserError, match='1 bad'):
        pairs.find_pairs(dataset, 'train')
    err = capsys.readouterr().err
    assert 'mask/tiny.png' in err and f'{size[0]}×{size[1]}' in err and 'at least 9' in err
    assert len(pairs.find_pairs(dataset, 'train', skip_bad_pairs=True)) == 10
    assert pairs.SMALLEST_MASK == 2 * scores.RADIUS + 1


def test_several_sets_are_told_apart_by_their_names(dataset, tmp_path):
    other = write_split(tmp_path / 'other' / 'dataset', 'train', 3)
    found = pairs.find_sets([dataset, other], 'train')
    assert {name: len(each) for name, each in found.items()} == {
        os.path.basename(os.path.dirname(dataset)) + '/dataset': 10, 'other/dataset': 3}
    assert pairs.set_names(['/a/x', 'b/y/']) == ['x', 'y']
    assert pairs.set_names(['/a/x', '/x']) == ['a/x', '/x']
    with pytest.raises(UserError, match='dataset: is given twice'):
        pairs.find_sets([dataset, dataset + '/'], 'train')


def test_one_bad_set_stops_all_by_name(dataset, tmp_path):
    other = write_split(tmp_path / 'other', 'train', 3)
    os.remove(folder(other, 'mask') + '/001.png')
    with pytest.raises(UserError, match='other/train: 1 bad'):
        pairs.find_sets([dataset, other], 'train')
    with pytest.raises(UserError, match='nowhere/train/image: no such folder'):
        pairs.find_sets([dataset, 'nowhere'], 'train')


def test_held_out_pairs_stay_when_a_set_grows():
    def named(count):
        return [pairs.Pair(f'{i:04}', f'set/train/image/{i:04}.jpg', f'set/train/mask/{i:04}.png')
                for i in range(count)]
    rest, held = pairs.hold_out(named(1000), 0.2)
    assert len(rest) + len(held) == 1000 and 160 < len(held) < 240
    assert not set(rest) & set(held)
    more_rest, more_held = pairs.hold_out(named(2000), 0.2)
    assert set(rest) <= set(more_rest) and set(held) <= set(more_held)
    assert pairs.hold_out(named(5), None) == (named(5), [])
    with pytest.raises(UserError, match='--validation_fraction 1e-09.*nothing to validate.*set/tr'):
        pairs.hold_out(named(5), 1e-9)
    with pytest.raises(UserError, match='nothing to train'):
        pairs.hold_out(named(1), 0.999999)


def test_drawn_shares_are_uniform():
    shares = [pairs.drawn_share(str(i)) for i in range(2000)]
    assert min(shares) >= 0 and max(shares) < 1
    assert [round(share, 1) for share in (min(shares), sum(shares) / 2000, max(shares))] == [
        0, 0.5, 1]


def test_frames_of_clips_come_in_their_order(tmp_path):
    write_split(tmp_path, 'clip', 3)
    for kind, extension in (('image', 'jpg'), ('mask', 'png')):
        for index, name in enumerate(('2', '10', '9')):
            os.rename(str(tmp_path / 'clip' / kind / f'{index:03}.{extension}'),
                      str(tmp_path / 'clip' / kind / f'frame{name}.{extension}'))
    frames, = pairs.find_clips(str(tmp_path)).values()
    assert [frame.stem for frame in frames] == ['frame2', 'frame9', 'frame10']
    with pytest.raises(UserError, match='holds no clips'):
        pairs.find_clips(str(tmp_path / 'clip'))


def test_what_is_not_read_beside_pairs_is_said(dataset, capsys):
    photos = folder(dataset, 'image')
    for name in ('notes.txt', '.hidden.tif'):
        open(os.path.join(photos, name), 'w').close()
    pairs.find_sets([dataset], 'train')
    assert capsys.readouterr().err == ''
    os.makedirs(os.path.join(photos, 'alice'))
    open(os.path.join(photos, 'scan.TIF'), 'w').close()
    pairs.find_sets([dataset], 'train')
    err = capsys.readouterr().err
    assert ('ignoring 2 subfolders or pictures of other types, such as alice; '
            'scripts/prepare_dataset.py folder') in err
