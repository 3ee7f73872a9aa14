"""The quick start, interrupted and started again, as a newcomer runs it."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from mmnet import checkpoints, hparams, records
from mmnet.data import decode
from tests.helpers import ROOT, draw_pair

pytestmark = pytest.mark.slow

SCRIPT = os.path.join(ROOT, 'scripts', 'quickstart.sh')


def quickstart(*args):
    return subprocess.Popen([SCRIPT] + [str(arg) for arg in args], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True,
                            start_new_session=True)


def test_from_nothing_to_a_cut_out(tmp_path):
    quick, photo = tmp_path / 'quick', tmp_path / 'me.png'
    Image.fromarray(draw_pair(np.random.RandomState(0))[0]).save(str(photo))
    args = ['--dir', quick, '--steps', 8, photo]
    process = quickstart(*args)
    deadline = time.time() + 240
    while not (quick / 'float' / 'model.ckpt-0.index').exists():
        assert process.poll() is None and time.time() < deadline, process.communicate()
        time.sleep(0.1)
    # Ctrl-C reaches all processes of the terminal.
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and 'resumes from' in err and 'Traceback' not in err
    drawn = os.path.getmtime(str(quick / 'portraits' / 'train' / 'image' / '00000.jpg'))

    process = quickstart(*args)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert os.path.getmtime(str(quick / 'portraits' / 'train' / 'image' / '00000.jpg')) == drawn
    assert checkpoints.step_of(checkpoints.listed(str(quick / 'float'))[-1]) == 8
    assert hparams.read(str(quick / 'quantized-8')).quantization
    steps = [record['global_step'] for record in
             records.read_records(str(quick / 'float' / 'eval_test.jsonl'))]
    assert steps[0] == 0 and steps[-1] == 8 and steps == sorted(set(steps))
    lines = [line for line in out.split('\n') if line.startswith(('gradient error', 'step 0 '))]
    assert len(lines) >= 3 and all('MAD' in line for line in lines)
    assert (quick / 'cutouts' / '00039_cutout.png').exists()
    assert Image.open(str(quick / 'pretrained' / 'me_cutout.png')).mode == 'RGBA'
    assert out.index('There are your cut-outs') < out.index('setting up TensorFlow')
    assert Image.open(str(quick / 'cutouts' / 'me_cutout.png')).mode == 'RGBA'
    # The picture's path is the last thing it says.
    assert out.rstrip().split('\n')[-1] == str(quick / 'mattes.jpg')
    # A row for the photo, four for portraits.
    assert decode.read_image(str(quick / 'mattes.jpg')).shape == (28 + 5 * 320, 5 * 240, 3)


@pytest.mark.parametrize('args, named', [
    (['nowhere.jpg'], 'nowhere.jpg'), (['--steps', 'many'], '--steps many'),
    (['--dir'], '--dir'), (['--fast'], '--fast'),
    (['me.jpg', 'me.png'], 'me.png: another photo has this name'),
    (['00012.jpg'], "00012.jpg: is a drawn portrait's name"), (['me.MP4'], 'me.MP4: is a video')])
def test_bad_input_ends_in_a_line(tmp_path, args, named):
    for name in ('me.jpg', 'me.png', 'me.MP4', '00012.jpg'):
        (tmp_path / name).write_text('')
    process = quickstart(*(tmp_path / arg if (tmp_path / arg).is_file() else arg for arg in args))
    _, err = process.communicate()
    assert process.returncode == 2 and named in err and err.count('\n') == 1


def test_help():
    process = quickstart('--help')
    out, _ = process.communicate()
    assert process.returncode == 0 and '--steps' in out
