"""Following a training."""

import pytest

from mmnet import watching
from mmnet.errors import UserError


def test_waiting_for_a_training_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, 'POLL_SECONDS', 0.01)
    with pytest.raises(UserError, match='--timeout 0.05: no training started in'):
        watching.wait_for_training(str(tmp_path / 'run'), timeout=0.05)
    (tmp_path / 'hparams.json').write_text('')
    watching.wait_for_training(str(tmp_path), timeout=0.05)
    with pytest.raises(UserError, match='--watch takes a train directory'):
        watching.wait_for_training(str(tmp_path / 'hparams.json'), timeout=0.05)


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
