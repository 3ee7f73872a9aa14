"""The page of scripts/demo.py in a real browser, with a film in the place of a camera."""

import json
import os
import socket
import subprocess

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from mmnet import pretrained, runtime
from mmnet.compositing import composite
from mmnet.datasets import synthetic
from mmnet.tflite import encode
from mmnet.tflite.layers import Layer, Value
from tests.helpers import DEMO_PACKAGES, in_browser, run

MODEL = 'pretrained:mmnet_dm1.0_128_float32'
SIZE = 128

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('demo'), pytest.mark.skipif(
    not os.path.isdir(DEMO_PACKAGES), reason='needs Node.js: scripts/setup.sh --demo --dev')]


def portrait(seed, width, height):
    drawn = synthetic.draw_portrait(np.random.RandomState(seed), width, height)
    return np.round(255 * drawn.image).astype(np.uint8)


def film(path):
    """Writes a film of a drawn person who moves to the right: a camera's or a file's."""
    still = portrait(3, 240, 320)
    frames = [np.roll(still, 4 * index, axis=1).tobytes() for index in range(10)]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-f', 'rawvideo', '-pix_fmt',
                    'rgb24', '-s', '240x320', '-r', '10', '-i', '-', '-pix_fmt', 'yuv420p',
                    str(path)], input=b''.join(frames), check=True)


def film_in_hevc(path):
    """Writes a film with sound whose pictures the test's browser cannot decode."""
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-f', 'lavfi', '-i',
                    'testsrc=s=240x320:r=10:d=1', '-f', 'lavfi', '-i', 'sine=d=1', '-c:v',
                    'libx265', '-x265-params', 'log-level=error', '-pix_fmt', 'yuv420p', '-c:a',
                    'libopus', '-strict', '-2', str(path)], check=True)


@pytest.fixture(scope='module')
def clicked(tmp_path_factory):
    """What the page said and showed, the photo that it was given, and the folder of screenshots."""
    folder = tmp_path_factory.mktemp('demo')
    photo = portrait(5, SIZE, SIZE)
    Image.fromarray(photo).save(str(folder / 'photo_in.png'))
    Image.new('RGB', (30, 20), (0, 255, 0)).save(str(folder / 'green.png'))
    (folder / 'broken.jpg').write_text('no photo')
    film(folder / 'camera.y4m')
    film(folder / 'film.webm')
    film_in_hevc(folder / 'hevc.mp4')
    found = in_browser('demo_worker.mjs', folder, {
        'photo': str(folder / 'photo_in.png'), 'broken': str(folder / 'broken.jpg'),
        'background': str(folder / 'green.png'), 'camera': str(folder / 'camera.y4m'),
        'film': str(folder / 'film.webm'), 'hevc': str(folder / 'hevc.mp4'),
        'folder': str(folder)}, MODEL)
    return found, photo, folder


def test_the_canvas_shows_the_alpha_that_python_computes(clicked):
    found, photo, folder = clicked
    alpha = runtime.Interpreter(pretrained.find(MODEL), 'tensorflow').alpha(photo)[..., 0]
    assert 0.2 < alpha.mean() < 0.8

    def canvas(name):
        return np.array(found[name], np.float32).reshape(SIZE, SIZE, 4)
    assert np.abs(canvas('transparent')[..., 3] - 255 * alpha).max() <= 1.5
    for name, colour in (('coloured', [0, 0, 255]), ('pictured', [0, 255, 0])):
        expected = composite(photo, alpha, np.array(colour)).astype(np.float32)
        assert np.abs(canvas(name)[..., :3] - expected).max() <= 3
    saved = cv2.imread(str(folder / found['saved']), cv2.IMREAD_UNCHANGED)
    assert np.abs(saved[..., 3] - 255 * alpha).max() <= 1.5


def test_the_camera_shows_moving_pictures(clicked):
    found, _, folder = clicked
    assert found['ready'].startswith('mmnet_dm1.0_128_float32, ready on CPU')
    frames, milliseconds = found['camera'].split(' frames/s, ')
    assert int(frames) >= 1 and float(milliseconds.split(' ms')[0]) > 0
    assert found['cameraMessage'] == ''
    # The person is in the middle, and the page is not empty.
    assert cv2.imread(str(folder / 'camera.png')).std() > 20
    assert int(found['film'].split(' frames/s, ')[0]) >= 1 and found['filmMessage'] == ''


def test_the_last_choice_is_shown_even_if_an_earlier_one_is_slow(clicked):
    found = clicked[0]
    assert int(found['last'].split(' frames/s, ')[0]) >= 1 and found['lastMessage'] == ''


def test_the_page_fits_a_phone_s_screen(clicked):
    found, _, folder = clicked
    assert found['phoneWidth'] <= 390
    assert cv2.imread(str(folder / 'phone.png')).std() > 20


def test_what_goes_wrong_is_one_sentence(clicked):
    found = clicked[0]
    assert found['broken'].startswith('broken.jpg cannot be read as a photo or a video; choose')
    assert found['hevc'].startswith('hevc.mp4 cannot be read as a photo or a video; choose')
    assert found['unplugged'].startswith('The camera has stopped; connect it again')
    assert found['withoutSimd'].startswith('This browser lacks WebAssembly with SIMD; use')
    assert found['withoutImportMaps'].startswith('This browser cannot load the page; use')
    assert found['withoutCamera'].startswith('No camera was found; connect one')


def test_nothing_leaves_the_machine(clicked):
    assert clicked[0]['errors'] == []


def test_a_folder_for_any_static_host(tmp_path):
    status, out, err = run('scripts/demo.py', '--model', MODEL, '--build', tmp_path / 'page')
    assert status == 0 and 'Cross-Origin-Opener-Policy' in out, err
    page = tmp_path / 'page'
    assert {'index.html', 'network.tflite', 'network.json', 'litert'} <= set(os.listdir(str(page)))
    about = json.loads((page / 'network.json').read_text())
    assert about['size'] == 128 and about['image'] == 'float32'
    assert not about['remembers']
    # Whatever the page asks for lies beside it.
    assert 'http' not in (page / 'index.html').read_text()
    # A host without headers of its own gives the page one thread, and the same alpha.
    photo = portrait(5, SIZE, SIZE)
    found = in_browser('demo_frames_worker.mjs', tmp_path, {'frames': [
        {'video': None, 'pixels': np.insert(photo, 3, 255, axis=2).ravel().tolist()}]}, built=page)
    alpha = runtime.Interpreter(pretrained.find(MODEL), 'tensorflow').alpha(photo).ravel()
    assert np.abs(np.array(found['alphas'][0]) - 255 * alpha).max() <= 1.5
    assert found['errors'] == [] and found['processor'] == 'CPU, 1 thread'


def other_file(folder):
    """Writes a file that takes and returns something else."""
    source, target = (Value(name, [1, 2, 8, 8, 4]) for name in ('in', 'out'))
    path = folder / 'other.tflite'
    path.write_bytes(encode.encode_layer(Layer('LOGISTIC', [source], [target]), 'float32'))
    return path


def test_bad_flags_end_in_a_line(tmp_path):
    with socket.socket() as busy:
        busy.bind(('127.0.0.1', 0))
        busy.listen()
        for flags, reason in ((['--build', tmp_path], 'exists already'),
                              (['--build', '/proc/page'], 'writ'),
                              (['--model', other_file(tmp_path)], 'takes [1, 2, 8, 8, 4]'),
                              (['--model', tmp_path / 'none.tflite'], 'no such file'),
                              (['--port', busy.getsockname()[1]], 'cannot be used')):
            status, _, err = run('scripts/demo.py', *flags)
            assert status == 1 and reason in err and err.count('\n') == 1
