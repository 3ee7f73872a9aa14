"""scripts/matte.py and scripts/show_mattes.py as a person runs them."""

import json
import os
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from mmnet import inference, video
from mmnet.data import decode
from mmnet.datasets.synthetic import draw_portrait
from tests.helpers import (draw_pair, export_file, moving_bar, run, tone, train, write_split,
                           write_video)

# One worker makes the network that these tests share.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('matte')]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A dataset, a train directory and its exported file."""
    root = tmp_path_factory.mktemp('matte')
    write_split(root / 'dataset', 'train', 4)
    dataset = write_split(root / 'dataset', 'test', 3, seed=1)
    status, _, err = train(dataset, root / 'run', '--max_steps', 1)
    assert status == 0, err
    status, _, err = export_file(root / 'run', root / 'model.tflite')
    assert status == 0, err
    return root


def photo(path, size=(30, 44), seed=0, **settings):
    """Writes a photo and returns its pixels."""
    image, _ = draw_pair(np.random.RandomState(seed), *size)
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(image).save(str(path), **settings)
    return image


def matte(root, *args):
    return run('scripts/matte.py', '--model', root / 'model.tflite', *args)


def test_photos_of_all_kinds(trained, tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    image = photo(source / 'plain.png')
    photo(source / 'album' / 'deep.webp', size=(61, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(source / 'turned.jpg', exif=exif, quality=95)
    Image.fromarray(image[..., 0]).save(str(source / 'grey.png'))
    profile = b'a colour space'
    photo(source / 'wide gamut.png', icc_profile=profile)
    (source / 'notes.txt').write_text('no photo')
    status, printed, err = matte(trained, source, '--output_dir', out, '--write',
                                 'cutout,alpha,composite', '--background', '#0000ff')
    assert status == 0, err
    made = sorted(os.path.relpath(os.path.join(parent, name), str(out))
                  for parent, _, names in os.walk(str(out)) for name in names)
    assert made == sorted(f'{stem}_{kind}'
                          for stem in ('plain', 'album/deep', 'turned', 'grey', 'wide gamut')
                          for kind in ('alpha.png', 'composite.jpg', 'cutout.png'))
    assert printed.count(' -> ') == 5
    sizes = {name: Image.open(str(out / name)).size for name in made}
    assert sizes['plain_cutout.png'] == sizes['plain_alpha.png'] == (30, 44)
    assert sizes['turned_alpha.png'] == (44, 30), 'upright'
    assert sizes['album/deep_composite.jpg'] == (61, 40)

    # The same numbers as from the network itself.
    alpha = inference.matte(inference.load(str(trained / 'model.tflite'), '--model'), image)
    coverage = np.round(alpha * 255).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(str(out / 'plain_alpha.png'))), coverage)
    cutout = np.asarray(Image.open(str(out / 'plain_cutout.png')))
    np.testing.assert_array_equal(cutout[..., 3], coverage)
    np.testing.assert_array_equal(cutout[..., :3], image)
    expected = alpha[..., None] * image + (1 - alpha[..., None]) * [0, 0, 255]
    assert abs(decode.read_image(str(out / 'plain_composite.jpg')) - expected).mean() < 4
    assert Image.open(str(out / 'wide gamut_cutout.png')).info['icc_profile'] == profile


def test_what_was_cut_away_stays_away(trained, tmp_path):
    image, _ = draw_pair(np.random.RandomState(0), 30, 44)
    opacity = np.full([44, 30], 255, np.uint8)
    opacity[:, :15] = 0
    opacity[:, 15] = 128
    Image.fromarray(np.dstack([image, opacity])).save(str(tmp_path / 'cut.png'))
    status, _, err = matte(trained, tmp_path / 'cut.png', '--output_dir', tmp_path)
    assert status == 0, err
    alpha = inference.matte(inference.load(str(trained / 'model.tflite'), '--model'), image)
    cutout = np.asarray(Image.open(str(tmp_path / 'cut_cutout.png')))
    assert not cutout[:, :15].any()
    np.testing.assert_allclose(cutout[:, 15, 3], alpha[:, 15] * 128, atol=0.51)
    np.testing.assert_allclose(cutout[:, 16:, 3], alpha[:, 16:] * 255, atol=0.51)


def test_a_transport_stream_is_read(trained, tmp_path):
    """ffmpeg's static build crashes at its service table if it finds the system's converters."""
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-f', 'lavfi', '-i',
                    'testsrc=s=64x48:d=0.4', '-metadata', 'service_name=Camera', '-f', 'mpegts',
                    str(tmp_path / 'clip.mts')], check=True)
    status, _, err = matte(trained, tmp_path / 'clip.mts', '--output_dir', tmp_path / 'out',
                           '--write', 'alpha')
    assert status == 0, err
    with video.reading(str(tmp_path / 'out' / 'clip_alpha.mp4')) as made:
        assert len(list(made.images)) == 10


def test_one_bad_file_does_not_stop_the_rest(trained, tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    photo(source / 'good.png')
    photo(source / 'more' / 'good.png')
    (source / 'bad.jpg').write_text('no photo')
    (source / 'bad.mp4').write_text('no video')
    photo(source / 'same.png')
    photo(source / 'same.jpg')
    os.mkfifo(str(source / 'pipe.jpg'))
    # Results inside the folder of photos are no photos.
    out = source / 'out'
    status, printed, err = matte(trained, source, 'camera:99', '--output_dir', out)
    assert status == 1
    assert printed.count(' -> ') == 3
    for name in ('bad.jpg', 'bad.mp4', 'same.png', 'camera:99', 'pipe.jpg'):
        assert len([line for line in err.split('\n') if line.startswith('  ') and
                    name in line]) == 1, err
    assert '5 of 8 inputs failed' in err and 'Traceback' not in err
    assert sorted(os.listdir(str(out))) == ['good_cutout.png', 'more', 'same_cutout.png']

    # What is there is kept, unless it may be replaced.
    (out / 'good_cutout.png').write_text('mine')
    status, _, err = matte(trained, source / 'good.png', '--output_dir', out)
    assert status == 1 and '--force' in err and (out / 'good_cutout.png').read_text() == 'mine'
    status, _, err = matte(trained, source / 'good.png', '--output_dir', out, '--force',
                           '--foreground', '--refine')
    assert status == 0, err
    assert Image.open(str(out / 'good_cutout.png')).size == (30, 44)


def test_videos_keep_size_rate_and_sound(trained, tmp_path):
    write_video(tmp_path / 'clip.mp4', moving_bar(8), sound=tone(tmp_path / 'tone.wav', 0.3))
    status, _, err = run('scripts/matte.py', '--model', trained / 'run', tmp_path / 'clip.mp4',
                         '--output_dir', tmp_path, '--write', 'cutout,alpha,composite')
    assert status == 0, err
    for name in ('clip_cutout.mov', 'clip_alpha.mp4', 'clip_composite.mp4'):
        with video.reading(str(tmp_path / name)) as made, \
                video.reading(str(tmp_path / 'clip.mp4')) as clip:
            assert made.size == clip.size and made.fps == clip.fps and made.sound
            assert len(list(made.images)) == 8


def test_steady_mattes_of_a_video_and_of_clips(trained, tmp_path):
    """A still picture with the noise of a sensor; the network's alphas of it flicker."""
    network = 'pretrained:mmnet_dm1.0_128_float32'
    image, alpha = draw_pair(np.random.RandomState(0))
    rng = np.random.RandomState(1)
    frames = [np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
              for _ in range(8)]
    write_video(tmp_path / 'clip.mp4', frames)
    for kind in ('image', 'mask'):
        (tmp_path / 'clips' / 'noise' / kind).mkdir(parents=True)
        for index, frame in enumerate(frames):
            Image.fromarray(frame if kind == 'image' else alpha).save(
                str(tmp_path / 'clips' / 'noise' / kind / f'{index}.png'))
    flicker, changes = [], []
    for name, flags in (('plain', []), ('steady', ['--steady'])):
        status, _, err = run('scripts/matte.py', '--model', network, tmp_path / 'clip.mp4',
                             '--write', 'alpha', '--output_dir', tmp_path / name, *flags)
        assert status == 0, err
        with video.reading(str(tmp_path / name / 'clip_alpha.mp4')) as made:
            mattes = np.stack(list(made.images)).astype(np.float32)
        assert len(mattes) == 8
        changes.append(np.abs(np.diff(mattes, axis=0)).mean())
        status, _, err = run('evaluate.py', '--clips', '--dataset_path', tmp_path / 'clips',
                             '--tflite_path', network, '--json',
                             tmp_path / 'record.json', *flags)
        assert status == 0, err
        flicker.append(json.loads((tmp_path / 'record.json').read_text())['dtssd'])
    assert changes[1] < 0.7 * changes[0] and flicker[1] < 0.7 * flicker[0]

    # What cannot be steadied, and a clip that cannot be measured.
    status, _, err = run('evaluate.py', '--dataset_path', trained / 'dataset', '--steady',
                         '--tflite_path', network)
    assert status == 1 and 'add --clips' in err and err.count('\n') == 1
    for kind in ('image', 'mask'):
        place = str(tmp_path / 'clips' / 'noise' / kind / '7.png')
        Image.open(place).resize((50, 60)).save(place)
    status, _, err = run('evaluate.py', '--clips', '--dataset_path', tmp_path / 'clips',
                         '--tflite_path', network)
    assert status == 1 and 'noise: its frames differ in size' in err and err.count('\n') == 1


@pytest.mark.parametrize('args, named', [
    (['nowhere.jpg'], 'nowhere.jpg'), (['empty'], 'empty: holds no photos'),
    (['a.png', '--steady'], '--steady: applies to videos'),
    (['a.png', '--write', 'composite', '--background', 'no such'], '--background no such'),
    (['a.png', '--background', 'white'], '--write composite'),
    (['a.png', '--foreground', '--write', 'alpha'], '--write cutout or composite'),
    (['a.png', '--model', 'nowhere'], '--model nowhere'),
    (['a.png', '--write', 'cutout,gif'], '"gif" is none of alpha, composite, cutout')])
def test_what_cannot_be_done_is_said_in_a_line(trained, tmp_path, args, named):
    (tmp_path / 'empty').mkdir()
    photo(tmp_path / 'a.png')
    args = [str(tmp_path / arg) if arg in ('empty', 'a.png') else arg for arg in args]
    status, _, err = matte(trained, '--output_dir', tmp_path / 'out', *args)
    assert status and named in err and err.count('\n') == 1, err
    assert not (tmp_path / 'out').exists()


def test_a_picture_of_mattes(trained, tmp_path):
    photo(tmp_path / 'mine.png')
    Image.new('RGB', (3000, 1)).save(str(tmp_path / 'line.png'))
    picture = tmp_path / 'mattes.png'
    args = ['scripts/show_mattes.py', '--model', trained / 'run', '--dataset_path',
            trained / 'dataset', '--count', 2, tmp_path / 'mine.png', tmp_path / 'line.png',
            '--output', picture]
    status, out, err = run(*args)
    assert status == 0, err
    assert out.strip().endswith(str(picture))
    pixels = decode.read_image(str(picture))
    assert pixels.shape == (28 + 4 * 320, 5 * 240, 3)
    cells = pixels[28:].reshape([4, 320, 5, 240, 3]).transpose([0, 2, 1, 3, 4])
    assert cells[0, 1].min() == cells[0, 1].max(), 'no ground truth of one\'s own photo'
    assert cells[2, 1].std() > 50
    # Each photo in the first column is what it should be, in the middle of its cell.
    first = decode.read_image(str(trained / 'dataset' / 'test' / 'image' / '000.jpg'))
    expected = np.asarray(Image.fromarray(first).resize((240, 320), Image.BICUBIC))
    np.testing.assert_array_equal(cells[2, 0], expected)
    status, _, err = run(*args)
    assert status == 1 and '--force' in err and err.count('\n') == 1
    status, _, err = run(*args[:-1] + [tmp_path / 'mattes.gif'])
    assert status == 1 and '.jpg' in err and err.count('\n') == 1
    status, _, err = run('scripts/show_mattes.py', '--model', trained / 'run', '--output',
                         tmp_path / 'other.png')
    assert status == 1 and '--dataset_path' in err and err.count('\n') == 1


def test_without_a_model_the_pretrained_one_cuts_people_out(tmp_path):
    portrait = draw_portrait(np.random.RandomState(1), 120, 160)
    Image.fromarray(np.round(255 * portrait.image).astype(np.uint8)).save(str(tmp_path / 'me.png'))
    status, out, err = run('scripts/matte.py', tmp_path / 'me.png', '--output_dir', tmp_path)
    assert status == 0 and 'me_cutout.png' in out, err
    cutout = np.asarray(Image.open(str(tmp_path / 'me_cutout.png')))
    assert abs(cutout[..., 3] / 255 - portrait.alpha).mean() < 0.05
    picture = tmp_path / 'mattes.jpg'
    status, _, err = run('scripts/show_mattes.py', tmp_path / 'me.png', '--output', picture)
    assert status == 0, err
    assert decode.read_image(str(picture)).shape == (28 + 320, 4 * 240, 3), 'no ground truth'
    status, _, err = run('scripts/matte.py', tmp_path / 'me.png', '--output_dir', tmp_path,
                         '--model', 'pretrained:yours')
    assert status == 1 and 'pretrained:yours: no such network' in err and err.count('\n') == 1
