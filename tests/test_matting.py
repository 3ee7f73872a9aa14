"""The parts of matte.py; tests/end_to_end/test_matte.py runs the program."""

import argparse
import contextlib
import os
import re
import signal
from fractions import Fraction

import numpy as np
import pytest

from mmnet import inference, matting, video
from mmnet.errors import UserError
from mmnet.runtime import Predictor
from tests.helpers import ROOT


def test_cameras_and_videos_are_told_from_photos():
    assert matting.camera_number('camera:12') == 12
    assert matting.camera_number('camera:x') is None and matting.camera_number('a.jpg') is None
    assert matting.is_moving('A.MOV') and not matting.is_moving('a.jpg')


def test_kinds_of_results():
    assert matting.kinds('alpha,cutout') == ['alpha', 'cutout']
    with pytest.raises(argparse.ArgumentTypeError, match='"matte" is none of'):
        matting.kinds('alpha,matte')


def test_folders_keep_their_places_and_leave_results_out(tmp_path):
    for name in ('a.jpg', 'in/b.png', 'in/clip.mp4', 'in/notes.txt', '.hidden/c.jpg', 'out/d.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('')
    found = matting.find_sources([str(tmp_path)], str(tmp_path / 'out'))
    assert [source.output for source in found] == [
        str(tmp_path / 'out' / name) for name in ('a', 'in/b', 'in/clip')]
    # Where results lie beside the photos, they are no input of the next run.
    (tmp_path / 'a_cutout.png').write_text('')
    (tmp_path / 'in' / 'clip_alpha.mp4').write_text('')
    found = matting.find_sources([str(tmp_path)], str(tmp_path))
    assert [source.output for source in found] == [
        str(tmp_path / name) for name in ('a', 'in/b', 'in/clip', 'out/d')]
    for path, said in (('nowhere', 'no such file'), ('.hidden/x', 'no such file')):
        with pytest.raises(UserError, match=said):
            matting.find_sources([str(tmp_path / path)], 'out')


def test_every_file_is_an_input_once_and_other_files_are_counted(tmp_path, capsys):
    photos = tmp_path / 'photos'
    photos.mkdir()
    for name in ('a.jpg', 'b.HEIC', 'notes.txt', '.hidden.gif'):
        (photos / name).write_text('')
    (photos / 'album').symlink_to(tmp_path)
    path = str(photos / 'a.jpg')
    found = matting.find_sources([path, str(photos), os.path.relpath(path)], 'out')
    assert [source.output for source in found] == ['out/a']
    assert 'ignoring 2 files or folders' in capsys.readouterr().err


def test_nothing_is_overwritten(tmp_path):
    args = matting.make_parser().parse_args(['--model', 'm', 'a.jpg', '--output_dir',
                                             str(tmp_path), '--write', 'alpha,cutout'])
    source = matting.Source('a.jpg', str(tmp_path / 'a'))
    paths = matting.output_paths(source, args, set())
    assert paths == {'alpha': str(tmp_path / 'a_alpha.png'),
                     'cutout': str(tmp_path / 'a_cutout.png')}
    with pytest.raises(UserError, match='overwrite another input'):
        matting.output_paths(source, args, set(paths.values()))
    (tmp_path / 'a_alpha.png').write_text('')
    with pytest.raises(UserError, match='exists already; pass --force'):
        matting.output_paths(source, args, set())


def test_ctrl_c_ends_a_camera_s_recording(tmp_path, monkeypatch):
    """The frame in hand is still written, and the file can be played."""
    @contextlib.contextmanager
    def camera(number):
        def frames():
            for index in range(1000):
                if index == 5:
                    os.kill(os.getpid(), signal.SIGINT)
                yield np.full([48, 64, 3], index % 256, np.uint8)
        yield video.Video((64, 48), Fraction(25), None, None, frames())
    monkeypatch.setattr(video, 'camera', camera)
    args = matting.make_parser().parse_args(['camera:0', '--output_dir', str(tmp_path)])
    args.write = ['alpha', 'composite']
    paths = {kind: str(tmp_path / f'{kind}.mp4') for kind in args.write}
    predictor = Predictor(16, lambda image: np.full([16, 16, 1], 0.5, np.float32))
    before = signal.getsignal(signal.SIGINT)
    matting.process_video('camera:0', paths, predictor, inference.parse_background('white'), args)
    assert signal.getsignal(signal.SIGINT) is before
    counts = []
    for path in paths.values():
        with video.reading(path) as recorded:
            counts.append(len(list(recorded.images)))
    assert counts[0] == counts[1] and 1 <= counts[0] < 100


def test_quickstart_refuses_every_kind_of_video():
    """It checks names before there is a Python to ask, so it has a list of its own."""
    with open(os.path.join(ROOT, 'scripts', 'quickstart.sh')) as file:
        listed = re.search(r'=~ \\\.\(([\w|]+)\)\$ ', file.read())
    assert tuple('.' + each for each in listed.group(1).split('|')) == matting.VIDEOS
