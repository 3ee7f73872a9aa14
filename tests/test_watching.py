"""Following a training."""

import os
import types

import pytest

from mmnet import watching
from mmnet.errors import UserError
from tests.tflite.helpers import checkpoint_of, run_of


def test_waiting_for_a_training_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, 'POLL_SECONDS', 0.01)
    with pytest.raises(UserError, match='--timeout 0.05: no training started in'):
        watching.wait_for_training(str(tmp_path / 'run'), timeout=0.05)
    (tmp_path / 'hparams.json').write_text('')
    watching.wait_for_training(str(tmp_path), timeout=0.05)
    with pytest.raises(UserError, match='--watch takes a train directory'):
        watching.wait_for_training(str(tmp_path / 'hparams.json'), timeout=0.05)


def test_a_checkpoint_is_done_only_after_it_was_offered_as_the_best(tmp_path, monkeypatch):
    run = run_of()
    checkpoint = checkpoint_of(run, tmp_path)
    evaluator = types.SimpleNamespace(evaluate=lambda *args: ({'gradient_error': 0.1}, None))
    network = watching.CheckpointPredictor(run)
    records = os.path.join(os.path.dirname(checkpoint), 'eval_test.jsonl')

    def evaluate():
        return watching.evaluate_checkpoint(evaluator, network, checkpoint, 'test', {})
    monkeypatch.setattr(watching, 'write_summaries', lambda *args: None)

    def fail(*args):
        raise UserError('the disk is full')
    with monkeypatch.context() as patched:
        patched.setattr(watching.checkpoints, 'keep_best', fail)
        with pytest.raises(UserError, match='full'):
            evaluate()
    assert not os.path.exists(records)
    evaluate()
    assert os.path.exists(records)


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
