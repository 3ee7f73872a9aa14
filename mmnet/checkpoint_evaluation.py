"""Measures a checkpoint: its losses, its metrics, its place among the best.

    network = CheckpointPredictor(hparams.read('TRAIN_DIR'))
    record = evaluate_checkpoint(evaluator, network, 'TRAIN_DIR/model.ckpt-3000', 'test', data)
"""

import os
import sys
import tempfile
from typing import Optional

import numpy as np
import tensorflow as tf

from mmnet import checkpoints, files, losses, models, pretrained
from mmnet.errors import UserError
from mmnet.evaluation import Evaluator, PastPredictor, Predicted
from mmnet.graph import as_float, build_objective, open_session
from mmnet.hparams import HParams
from mmnet.records import Record, of_other_photos, path_of, write_record
from mmnet.summaries import write_summaries


class CheckpointPredictor:
    """A network that restores checkpoints, one after another."""

    def __init__(self, hparams: HParams):
        size = hparams.image_size
        with tf.Graph().as_default() as graph:
            self._images = tf.placeholder(tf.uint8, [None, size, size, 3])
            self._alphas_gt = tf.placeholder(tf.uint8, [None, size, size, 1])
            self._previous = None
            if hparams.previous_alpha:
                self._previous = tf.placeholder(tf.float32, [None, size, size, 1])
            batch = losses.Batch(as_float(self._images), as_float(self._alphas_gt),
                                 previous=self._previous)
            objective = build_objective(batch, hparams, is_training=False)
            self._losses = {'loss/' + name: term for name, term in
                            [*objective.terms.items(), ('total', objective.total)]}
            self._predicted = losses.foreground_alpha(objective.logits)
            self.parameters = models.graph_parameters()
            self._saver = checkpoints.saver(hparams.training.averaged)
        self._session = open_session(graph)

    def restore(self, checkpoint: str) -> None:
        """Loads a checkpoint's variables.

        Raises:
            UserError: if the checkpoint cannot be read or belongs to another network.
        """
        checkpoints.restore(self._saver, self._session, checkpoint)

    def predict(self, images: np.ndarray, alphas_gt: np.ndarray) -> Predicted:
        """Runs the restored checkpoint, as a `BatchPredictor`."""
        return self._run(images, alphas_gt, np.zeros(alphas_gt.shape))

    @property
    def predict_with_past(self) -> Optional[PastPredictor]:
        """The `PastPredictor` of a network with a memory; None for other networks."""
        if self._previous is None:
            return None
        # Rounded as those of a video are.
        return lambda images, alphas_gt, own: self._run(
            images, alphas_gt, np.round(255 * own) / 255)

    def _run(self, images: np.ndarray, alphas_gt: np.ndarray,
             previous: np.ndarray) -> Predicted:
        past = {} if self._previous is None else {self._previous: previous}
        try:
            return self._session.run(
                [self._predicted, self._losses],
                {self._images: images, self._alphas_gt: alphas_gt, **past})
        except tf.errors.ResourceExhaustedError:
            raise UserError(f'--batch_size {len(images)}: out of memory; try a smaller one')


def evaluate_checkpoint(evaluator: Evaluator, network: CheckpointPredictor, checkpoint: str,
                        split: str, data: Record) -> Record:
    """Measures a checkpoint, writes its record and summaries, and keeps it if it is the best.

    Training may delete the checkpoint at any moment, so all work is done on a copy. Nothing is
    written if the split's record is of other photos, whose figures cannot be compared, or if the
    folder is not writable.

    Args:
        evaluator: of the photos.
        network: the checkpoint's.
        checkpoint: its path.
        split: the split's name.
        data: the photos, as `mmnet.data.pairs.describe` returns them.

    Returns:
        the record, as `eval_<split>.jsonl` holds it.

    Raises:
        FileNotFoundError: if training deleted the checkpoint before it could be copied.
        UserError: if the checkpoint cannot be restored or the split cannot be read.
    """
    train_dir, step = os.path.dirname(checkpoint) or '.', checkpoints.step_of(checkpoint)
    with tempfile.TemporaryDirectory() as scratch:
        copy = checkpoints.copy(checkpoint, scratch)
        try:
            network.restore(copy)
        except UserError as error:
            raise UserError(str(error).replace(copy, checkpoint))
        scores, strip = evaluator.evaluate(network.predict, network.predict_with_past)
        record: Record = {'global_step': step, 'split': split, **scores,
                          'parameters': network.parameters, 'data': data}
        # The pretrained networks stay as they were published.
        if os.path.dirname(os.path.abspath(train_dir)) == pretrained.FOLDER:
            return record
        summary_dir = os.path.join(train_dir, 'eval_' + split)
        if not os.path.isdir(train_dir):
            raise UserError(f'{train_dir}: was deleted while its checkpoint was evaluated')
        if not os.access(train_dir, os.W_OK | os.X_OK):
            print(f'{train_dir}: is not writable, so the results are not saved there',
                  file=sys.stderr)
            return record
        # Another evaluation may be running beside this one.
        with files.locked(summary_dir):
            path = path_of(train_dir, split)
            if of_other_photos(path, data):
                print(f'{path}: holds results for other photos, so these are not saved',
                      file=sys.stderr)
                return record
            write_summaries(summary_dir, record, strip)
            # best/ holds scores already; it does not get a best/ of its own.
            nested = os.path.exists(os.path.join(train_dir, checkpoints.SCORES))
            best = {} if nested else {'best': checkpoints.keep_best(copy, train_dir, record)}
            # The record comes last, because --watch passes over a checkpoint that has one.
            write_record(path, record)
    return {**record, **best}
