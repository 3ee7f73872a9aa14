"""Following a training."""

import glob
import os
import shutil

import pytest

from mmnet import checkpoints, pretrained, watching
from mmnet.errors import UserError


def test_waiting_for_a_training_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, 'POLL_SECONDS', 0.01)
    with pytest.raises(UserError, match='--timeout 0.05: no training started in'):
        watching.wait_for_training(str(tmp_path / 'run'), timeout=0.05)
    (tmp_path / 'hparams.json').write_text('')
    watching.wait_for_training(str(tmp_path), timeout=0.05)
    with pytest.raises(UserError, match='--watch takes a train directory'):
        watching.wait_for_training(str(tmp_path / 'hparams.json'), timeout=0.05)


def test_a_damaged_checkpoint_is_named_and_passed_over(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(watching, 'POLL_SECONDS', 0.01)
    train_dir = str(tmp_path / 'run')
    shutil.copytree(pretrained.find('pretrained:mmnet_dm1.0_128'), train_dir)
    whole = checkpoints.resolve(train_dir)
    damaged = os.path.join(train_dir, 'model.ckpt-99999')
    for path in glob.glob(whole + '.*'):
        shutil.copy(path, damaged + path[len(whole):])
    data, = glob.glob(damaged + '.data-*')
    with open(data, 'r+b') as file:
        file.truncate(100)
    with open(os.path.join(train_dir, 'checkpoint'), 'w') as file:
        file.write(''.join(f'{key}: "{os.path.basename(path)}"\n' for key, path in (
            ('model_checkpoint_path', damaged), ('all_model_checkpoint_paths', whole),
            ('all_model_checkpoint_paths', damaged))))
    assert watching.pending(train_dir, []) == [checkpoints.step_of(whole)]
    assert list(watching.watch(train_dir, [], timeout=0.05)) == [whole]
    assert 'model.ckpt-99999: damaged' in capsys.readouterr().err


def test_a_directory_that_is_deleted_ends_the_watch(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, 'POLL_SECONDS', 0.01)
    place = tmp_path / 'run'
    place.mkdir()
    following = watching.watch(str(place), [], timeout=0.05)
    assert list(following) == []
    place.rmdir()
    with pytest.raises(UserError, match='run: was deleted'):
        next(watching.watch(str(place), [], timeout=None))
    assert not place.exists()
