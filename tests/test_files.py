"""Files that are written whole or not at all, and directories that belong to one user."""

import multiprocessing
import os
import stat

import pytest

from mmnet import files
from mmnet.errors import UserError


def test_json_comes_back(tmp_path):
    path = str(tmp_path / 'a.json')
    files.write_json({'a': [1, None]}, path)
    assert files.read_json(path) == {'a': [1, None]}
    assert os.listdir(str(tmp_path)) == ['a.json']
    (tmp_path / 'a.json').write_text('{"a": ')
    assert files.read_json(path) is None and files.read_json(path + 'x') is None


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(ZeroDivisionError):
        with files.replacing(str(path)) as partial:
            with open(partial, 'w') as file:
                file.write('new')
            1 // 0
    assert path.read_text() == 'old' and os.listdir(str(tmp_path)) == ['a.txt']
    with pytest.raises(UserError, match='cannot be written'):
        files.write_text('x', str(tmp_path / 'no' / 'a.txt'))


def test_outputs_are_not_replaced_unasked(tmp_path):
    path = str(tmp_path / 'a.txt')
    files.check_output(path, force=False)
    open(path, 'w').close()
    with pytest.raises(UserError, match='--output.*--force'):
        files.check_output(path, force=False)
    files.check_output(path, force=True)
    files.check_output('/dev/null', force=True)
    for unusable, named in ((tmp_path / 'no' / 'a.txt', 'there is no folder'),
                            (tmp_path, 'is a folder')):
        with pytest.raises(UserError, match=f'--json {unusable}: .*{named}'):
            files.check_output(str(unusable), force=True, flag='--json')


def test_a_directory_remembers_what_it_was_made_with(tmp_path):
    place = str(tmp_path / 'made')
    files.reserve_directory(place, 'made.json', {'seed': 1})
    files.reserve_directory(place, 'made.json', {'seed': 1})
    with pytest.raises(UserError, match='was made with seed 1'):
        files.reserve_directory(place, 'made.json', {'seed': 2})
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(UserError, match='holds other files'):
        files.reserve_directory(str(tmp_path), 'made.json', {'seed': 1})
    with pytest.raises(UserError, match='cannot be made'):
        files.make_directory(str(tmp_path / 'mine.txt' / 'x'))


def try_lock(place, result):
    try:
        with files.locked(place, wait=False):
            result.put('free')
    except BlockingIOError:
        result.put('held')


def test_a_lock_holds_against_other_processes_and_ends(tmp_path):
    place, result = str(tmp_path / 'run'), multiprocessing.Queue()

    def other():
        process = multiprocessing.Process(target=try_lock, args=(place, result))
        process.start()
        process.join()
        return result.get(timeout=10)
    with files.locked(place):
        assert other() == 'held'
    assert other() == 'free'


def test_links_are_followed_and_devices_are_written_through(tmp_path):
    target, link = tmp_path / 'target.json', tmp_path / 'link.json'
    target.write_text('old')
    link.symlink_to(target)
    files.write_json([1], str(link))
    assert link.is_symlink() and files.read_json(str(target)) == [1]
    files.write_json([1], '/dev/null')
    assert stat.S_ISCHR(os.stat('/dev/null').st_mode)
    pipe = str(tmp_path / 'pipe')
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text('through', pipe)
    assert os.read(reader, 100) == b'through' and stat.S_ISFIFO(os.stat(pipe).st_mode)
    os.close(reader)
    with pytest.raises(UserError, match='is a folder'):
        files.write_text('x', str(tmp_path))


def test_a_full_disk_is_named_whatever_broke(tmp_path, monkeypatch):
    monkeypatch.setattr(files.shutil, 'disk_usage', lambda path: type('Usage', (), {'free': 0}))
    for error in (OSError('Broken pipe of ffmpeg'), BrokenPipeError(32, 'Broken pipe')):
        with pytest.raises(UserError, match='No space left'):
            with files.replacing(str(tmp_path / 'x.mp4')):
                raise error
