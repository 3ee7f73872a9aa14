"""Files that are written whole or not at all, and directories that belong to one user."""

import multiprocessing
import os

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
