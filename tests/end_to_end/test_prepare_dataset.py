"""Public sets, each a tiny look-alike of its own layout."""

import base64
import io
import json
import os
import zlib

import numpy as np
import pytest
import scipy.io
from PIL import Image

from mmnet.data import decode, pairs
from tests.helpers import draw_pair, run

pytestmark = pytest.mark.slow

SCRIPT = 'scripts/prepare_dataset.py'


def pair(seed=0, width=36, height=48):
    return draw_pair(np.random.RandomState(seed), width, height)


def save(path, pixels, **settings):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(pixels).save(str(path), **settings)


def prepare(name, source, dest, *flags):
    return run(SCRIPT, name, source, dest, *flags)


def stems(dest, split):
    return [found.stem for found in pairs.find_pairs(str(dest), split)]


def mask_of(dest, split, stem):
    return decode.read_mask(str(dest / split / 'mask' / (stem + '.png')))


def skipped(dest):
    return (dest / 'skipped.txt').read_text()


def full_length(height=120, width=80):
    """A person from head to foot, as labels of clothes, and a photo of the same places."""
    labels = np.zeros([height, width], np.uint8)
    labels[10:30, 45:55], labels[30:70, 38:62], labels[70:110, 42:58] = 41, 10, 25
    image = np.dstack([labels * 5, labels * 0 + 60, labels * 0 + 90])
    return image, labels


def test_ccp_keeps_upper_halves(tmp_path):
    source, dest = tmp_path / 'ccp', tmp_path / 'dest'
    image, labels = full_length()
    folder = source / 'annotations' / 'pixel-level'
    os.makedirs(str(folder))
    for index in range(1, 5):
        save(source / 'photos' / f'{index:04}.jpg', image, quality=95)
        if index < 4:
            scipy.io.savemat(str(folder / f'{index:04}.mat'), {
                'groundtruth': labels * (index != 3)})
    # The published networks have not learned from this one.
    save(source / 'photos' / '0016.jpg', image, quality=95)
    scipy.io.savemat(str(folder / '0016.mat'), {'groundtruth': labels})
    status, out, err = prepare('ccp', source, dest)
    assert status == 0, err
    assert stems(dest, 'test') == ['0016']
    found = sorted(dest.glob('train/mask/*.png'))
    assert sorted(path.stem for path in found) == ['0001', '0002']
    assert '0003' in skipped(dest) and '0004' not in skipped(dest)
    split = found[0].parent.parent.name
    assert stems(dest, split)
    mask = mask_of(dest, split, found[0].stem)
    # From 6 % of the height above the head to its middle: rows 4 to 60, three quarters as wide.
    top, bottom = 10 - 6, 60
    assert mask.shape == (bottom - top, 42)
    np.testing.assert_array_equal(mask > 0, labels[top:bottom, 29:71] > 0)
    photo = decode.read_image(str(dest / split / 'image' / (found[0].stem + '.jpg')))
    assert abs(photo.astype(int) - image[top:bottom, 29:71]).mean() < 8


def test_hard_masks_are_softened_along_their_edges(tmp_path):
    source = tmp_path / 'source'
    image, mask = draw_pair(np.random.RandomState(0), 60, 80)
    save(source / 'image' / 'a.png', image)
    save(source / 'mask' / 'a.png', (mask > 127).astype(np.uint8) * 255)
    for name, flags in (('hard', []), ('soft', ['--soften'])):
        status, _, err = prepare('folder', source, tmp_path / name, '--test_fraction', 0.01, *flags)
        assert status == 0, err
    hard, soft = (mask_of(tmp_path / name, 'train', 'a').astype(int) for name in ('hard', 'soft'))
    assert set(np.unique(hard)) == {0, 255} and len(np.unique(soft)) > 10
    # The drawn alpha is soft, and closed-form matting finds it again.
    assert abs(soft - mask).mean() < 0.6 * abs(hard - mask).mean()
    status, _, err = prepare('folder', source, tmp_path / 'hard', '--test_fraction', 0.01,
                             '--soften')
    assert status == 1 and 'hard' in err


def test_aisegment(tmp_path):
    source, dest = tmp_path / 'matting_human_half', tmp_path / 'dest'
    for index in range(8):
        image, mask = pair(index)
        folder = '180315/{}_0000000' + str(index % 2)
        save(source / 'clip_img' / folder.format('clip') / f'180315-{index:08}.jpg', image)
        if index:
            save(source / 'matting' / folder.format('matting') / f'180315-{index:08}.png',
                 np.dstack([image, mask]))
    (source / 'matting' / '180315' / 'matting_00000000' / '._180315-00000002.png').write_text('x')
    status, out, err = prepare('aisegment', source, dest, '--test_fraction', 0.4)
    assert status == 0, err
    train, test = stems(dest, 'train'), stems(dest, 'test')
    assert sorted(train + test) == [f'180315-{index:08}' for index in range(1, 8)]
    assert train and test
    assert '1 skipped' in err and 'an image without a mask' in err
    assert '180315-00000000.jpg: an image without a mask' in skipped(dest)
    split = 'train' if '180315-00000003' in train else 'test'
    np.testing.assert_array_equal(mask_of(dest, split, '180315-00000003'), pair(3)[1])


def test_eg1800(tmp_path):
    source, dest = tmp_path / 'eg1800', tmp_path / 'dest'
    for index in range(1, 7):
        image, mask = pair(index)
        save(source / 'images_data_crop' / f'{index:05}.jpg', image)
        (source / 'images_mask').mkdir(exist_ok=True)
        scipy.io.savemat(str(source / 'images_mask' / f'{index:05}_mask.mat'),
                         {'mask': (mask > 127).astype(np.uint8)})
    (source / 'images_mask' / '00002_mask.mat').write_text('damaged')
    scipy.io.savemat(str(source / 'trainlist.mat'), {'trainlist': [[1, 2, 3]]})
    # Of many photos only the numbers are left.
    scipy.io.savemat(str(source / 'testlist.mat'), {'testlist': [[4, 5, 99]]})
    status, _, err = prepare('eg1800', source, dest)
    assert status == 0, err
    assert stems(dest, 'train') == ['00001', '00003'] and stems(dest, 'test') == ['00004', '00005']
    np.testing.assert_array_equal(mask_of(dest, 'test', '00004'), (pair(4)[1] > 127) * 255)
    assert '00002.jpg: the mask cannot be read' in skipped(dest)
    assert '00006.jpg: in neither' in skipped(dest)
    # All of the source is read, and what is made would be read again.
    status, _, err = prepare('eg1800', source, source / 'made')
    assert status == 1 and 'choose a folder elsewhere' in err and err.count('\n') == 1
    (source / 'testlist.mat').write_text('damaged')
    status, _, err = prepare('eg1800', source, tmp_path / 'other')
    assert status == 1 and 'testlist.mat' in err and err.count('\n') == 1


def test_p3m(tmp_path):
    source, dest = tmp_path / 'P3M-10k', tmp_path / 'dest'
    for seed, (folder, images, stem) in enumerate([
            ('train', 'blurred_image', 'p_1'), ('train', 'blurred_image', 'p_2'),
            ('validation/P3M-500-P', 'blurred_image', 'p_3'),
            ('validation/P3M-500-NP', 'original_image', 'n_4')]):
        image, mask = pair(seed)
        save(source / folder / images / (stem + '.jpg'), image)
        save(source / folder / 'mask' / (stem + '.png'), mask)
    status, out, err = prepare('p3m', source, dest)
    assert status == 0, err
    assert '1 test, 1 test_np, 2 train' in out
    assert [stems(dest, split) for split in ('train', 'test', 'test_np')] == [
        ['p_1', 'p_2'], ['p_3'], ['n_4']]


def test_ppm100(tmp_path):
    source, dest = tmp_path / 'PPM-100', tmp_path / 'dest'
    for seed in range(3):
        image, mask = pair(seed)
        save(source / 'image' / f'{seed}_o.jpg', image)
        save(source / 'matte' / f'{seed}_o.jpg', mask, quality=100)
    status, _, err = prepare('ppm100', source, dest)
    assert status == 0, err
    assert stems(dest, 'test') == ['0_o', '1_o', '2_o'] and not (dest / 'train').exists()
    assert abs(mask_of(dest, 'test', '1_o').astype(int) - pair(1)[1]).max() < 8
    # Photos are copied as they are.
    assert (dest / 'test' / 'image' / '1_o.jpg').read_bytes() == \
        (source / 'image' / '1_o.jpg').read_bytes()


def supervisely_bitmap(mask):
    """As Supervisely's own tools write one: a palette whose first entry is transparent."""
    image = Image.fromarray(mask.astype(np.uint8), mode='P')
    image.putpalette((0, 0, 0, 255, 255, 255))
    content = io.BytesIO()
    image.save(content, format='PNG', transparency=0, optimize=0)
    return base64.b64encode(zlib.compress(content.getvalue())).decode()


def test_supervisely(tmp_path):
    source, dest = tmp_path / 'persons', tmp_path / 'dest'
    person = {'classTitle': 'person_bmp',
              'bitmap': {'origin': [10, 5], 'data': supervisely_bitmap(np.tri(20, 15) > 0)}}
    outline = {'classTitle': 'person_poly', 'bitmap': None,
               'points': {'exterior': [[0, 30], [30, 30], [30, 47], [0, 47]],
                          'interior': [[[10, 35], [20, 35], [20, 40], [10, 40]]]}}
    ignored = {'classTitle': 'neutral', 'bitmap': None,
               'points': {'exterior': [[0, 0], [35, 0], [35, 47], [0, 47]], 'interior': []}}
    leaning = {'classTitle': 'person_bmp', 'bitmap': {
        'origin': [-5, -3], 'data': supervisely_bitmap(np.tri(20, 15) > 0)}}
    pointless = {'classTitle': 'person_poly', 'bitmap': None,
                 'points': {'exterior': [], 'interior': []}}
    for dataset, name, extension, objects in [
            ('ds1', 'a.png', '.png.json', [person, outline, ignored]),
            ('ds2', 'a.png', '.json', [outline]), ('ds2', 'b.png', '.json', [ignored]),
            ('ds2', 'c.png', None, []), ('ds2', 'd.png', '.json', [pointless]),
            ('ds2', 'e.png', '.json', [leaning]), ('ds2', 'f.png', '.json', [outline]),
            ('ds2', 'g.png', '.json', [outline])]:
        save(source / dataset / 'img' / name, pair()[0])
        (source / dataset / 'ann').mkdir(exist_ok=True)
        if extension:
            (source / dataset / 'ann' / (name[:-4] + extension)).write_text(json.dumps(
                {'size': {'height': 48, 'width': 36}, 'objects': objects,
                 'tags': {'f.png': ['not-marked-people'], 'g.png': [
                     {'name': 'not-marked-people', 'value': None}]}.get(name, ['sunny'])}))
    status, _, err = prepare('supervisely', source, dest, '--test_fraction', 0.01)
    assert status == 0, err
    assert stems(dest, 'train') == ['ds1_a', 'ds2_a', 'ds2_e']
    frame = np.zeros([48, 36], np.uint8)
    frame[30:48, 0:31] = 255
    frame[35:41, 10:21] = 0
    np.testing.assert_array_equal(mask_of(dest, 'train', 'ds2_a'), frame)
    corner = np.zeros([48, 36], np.uint8)
    corner[:17, :10] = 255 * np.tri(20, 15)[3:, 5:]
    np.testing.assert_array_equal(mask_of(dest, 'train', 'ds2_e'), corner)
    frame[5:25, 10:25][np.tri(20, 15) > 0] = 255
    np.testing.assert_array_equal(mask_of(dest, 'train', 'ds1_a'), frame)
    assert 'b.png: the mask cannot be read (nobody' in skipped(dest)
    for name in ('f.png', 'g.png'):
        assert f'{name}: the mask cannot be read (some people in it are not' in skipped(dest)
    assert 'c.png: an image without an annotation' in skipped(dest)
    assert 'd.png: the mask cannot be read (a person is marked without an outline' in skipped(dest)


def folders(source):
    """Two folders with what people have in them."""
    for index in range(6):
        image, mask = pair(index)
        save(source / 'photos' / f'{index}.bmp', image)
        save(source / 'labels' / f'{index}_label.png', (mask > 127).astype(np.uint8))
    save(source / 'labels' / '1_label.png', np.zeros([48, 36], np.uint8))
    save(source / 'labels' / '2_label.png', np.ones([48, 48], np.uint8))
    (source / 'photos' / '3.bmp').write_text('no photo')
    return ['--image_folder', 'photos', '--mask_folder', 'labels', '--mask_suffix', '_label']


def test_any_two_folders_with_a_list(tmp_path):
    source, dest = tmp_path / 'mine', tmp_path / 'dest'
    flags = folders(source)
    (tmp_path / 'test.txt').write_text('photos/4.bmp\n\n7\n')
    status, _, err = prepare('folder', source, dest, *flags + ['--test_list',
                                                               tmp_path / 'test.txt'])
    assert status == 0, err
    assert stems(dest, 'train') == ['0', '5'] and stems(dest, 'test') == ['4']
    assert os.listdir(str(dest / 'test' / 'image')) == ['4.png'], 'what training can read'
    np.testing.assert_array_equal(decode.read_image(str(dest / 'test' / 'image' / '4.png')),
                                  pair(4)[0])
    np.testing.assert_array_equal(mask_of(dest, 'test', '4'), (pair(4)[1] > 127) * 255)
    for reason in ('1.bmp: the mask is empty', '2.bmp: the mask has another aspect ratio',
                   '3.bmp: the image cannot be read', 'names 7, which is not there'):
        assert reason in skipped(dest)


def test_a_list_of_names_with_dots(tmp_path):
    source, names = tmp_path / 'mine', tmp_path / 'test.txt'
    for index, name in enumerate(('a.v2.png', 'b.png', 'a.png')):
        image, mask = pair(index)
        save(source / 'image' / name, image)
        save(source / 'mask' / name, mask)
    # Some editors begin a file with a mark of its byte order.
    names.write_text('a.v2\nb.png\n', encoding='utf-8-sig')
    status, _, err = prepare('folder', source, tmp_path / 'dest', '--test_list', names)
    assert status == 0, err
    assert stems(tmp_path / 'dest', 'test') == ['a.v2', 'b']
    assert stems(tmp_path / 'dest', 'train') == ['a']
    status, _, err = prepare('folder', source, tmp_path / 'dest', '--test_list', names)
    assert status == 0 and '3 were there already' in err
    status, _, err = prepare('folder', source, tmp_path / 'new', '--test_list', names, '--seed', 1)
    assert status == 1 and '--test_fraction and --seed' in err and err.count('\n') == 1


def test_a_list_names_the_photo_in_the_folder_not_its_namesake(tmp_path):
    source, names = tmp_path / 'mine', tmp_path / 'test.txt'
    for index, name in enumerate(('1', 'b/1', '2')):
        for kind, pixels in zip(('image', 'mask'), pair(index)):
            save(source / kind / (name + '.png'), pixels)
    names.write_text('b/1.png\nmine/image/2.png\n')
    status, _, err = prepare('folder', source, tmp_path / 'dest', '--test_list', names)
    assert status == 0, err
    assert stems(tmp_path / 'dest', 'test') == ['2', 'b_1']
    assert stems(tmp_path / 'dest', 'train') == ['1'] and skipped(tmp_path / 'dest') == ''


def test_pairs_that_training_would_refuse_are_skipped(tmp_path):
    source, dest = tmp_path / 'mine', tmp_path / 'dest'
    for name, size in (('good', 36), ('other', 36), ('tiny', 8)):
        for kind, pixels in zip(('image', 'mask'), pair(0, size, size)):
            save(source / kind / (name + '.png'), pixels)
    assert prepare('folder', source, dest, '--test_fraction', 0.01)[0] == 0
    assert stems(dest, 'train') == ['good', 'other']
    assert 'tiny.png: is too small to be measured' in skipped(dest)
    # The photo comes again in another format.
    (source / 'image' / 'good.png').unlink()
    save(source / 'image' / 'good.jpg', pair(0, 36, 36)[0])
    assert prepare('folder', source, dest, '--test_fraction', 0.01)[0] == 0
    assert stems(dest, 'train') == ['good', 'other']
    assert 'good.jpg: is there already in another format' in skipped(dest)


def test_no_photo_is_in_two_splits(tmp_path):
    source, dest, names = tmp_path / 'mine', tmp_path / 'dest', tmp_path / 'test.txt'
    flags = folders(source) + ['--test_list', names]
    for listed in ('4', '5'):
        names.write_text(listed)
        status, _, err = prepare('folder', source, dest, *flags)
        assert status == 0, err
        assert stems(dest, 'train') == ['0', '5'] and stems(dest, 'test') == ['4']
    assert skipped(dest).count('is in another split already') == 2


def test_it_goes_on_and_overwrites_nothing(tmp_path):
    source, dest = tmp_path / 'mine', tmp_path / 'dest'
    flags = folders(source)
    assert prepare('folder', source, dest, *flags)[0] == 0
    found = {found.stem: found for split in ('train', 'test') if (dest / split).exists()
             for found in pairs.find_pairs(str(dest), split)}
    os.remove(found['0'].mask)
    os.utime(found['4'].mask, (1, 1))
    # What was damaged is mended by now.
    save(source / 'photos' / '3.bmp', pair(3)[0])
    status, _, err = prepare('folder', source, dest, *flags)
    assert status == 0, err
    assert os.path.exists(found['0'].mask) and os.path.getmtime(found['4'].mask) == 1
    splits = [split for split in ('train', 'test') if (dest / split).exists()]
    assert '3' in sum((stems(dest, split) for split in splits), [])
    for other in (['--seed', 1], ['--mask_folder', './labels']):
        status, _, err = prepare('folder', source, dest, *flags + other)
        assert status == 1 and 'another folder' in err and err.count('\n') == 1


@pytest.mark.parametrize('name, flags, named', [
    ('ccp', ['--mask_suffix', '_x'], 'leave them out for ccp'),
    ('aisegment', [], 'clip_img'), ('supervisely', [], 'img folder'),
    ('folder', ['--image_folder', 'x'], 'x: no such folder'),
    ('folder', ['--test_list', '/nowhere'], '--test_list /nowhere')])
def test_bad_input_ends_in_a_line(tmp_path, name, flags, named):
    source = tmp_path / 'source'
    save(source / 'image' / 'a.png', pair()[0])
    save(source / 'mask' / 'a.png', pair()[1])
    status, _, err = prepare(name, source, tmp_path / 'dest', *flags)
    assert status == 1 and named in err and err.count('\n') == 1, err
    assert not (tmp_path / 'dest').exists()
