"""Measuring a checkpoint."""

import os
import types

import pytest

from mmnet import checkpoint_evaluation
from mmnet.errors import UserError
from tests.tflite.helpers import checkpoint_of, run_of


def test_a_checkpoint_is_done_only_after_it_was_offered_as_the_best(tmp_path, monkeypatch):
    run = run_of()
    checkpoint = checkpoint_of(run, tmp_path)
    evaluator = types.SimpleNamespace(evaluate=lambda *args: ({'gradient_error': 0.1}, None))
    network = checkpoint_evaluation.CheckpointPredictor(run)
    records = os.path.join(os.path.dirname(checkpoint), 'eval_test.jsonl')

    def evaluate():
        return checkpoint_evaluation.evaluate_checkpoint(evaluator, network, checkpoint, 'test', {})
    monkeypatch.setattr(checkpoint_evaluation, 'write_summaries', lambda *args: None)

    def fail(*args):
        raise UserError('the disk is full')
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_evaluation.checkpoints, 'keep_best', fail)
        with pytest.raises(UserError, match='full'):
            evaluate()
    assert not os.path.exists(records)
    evaluate()
    assert os.path.exists(records)
