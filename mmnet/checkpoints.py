"""Checkpoint files: which are whole, which is the latest, and keeping the best one apart."""

import glob
import os
import re
import shutil
from typing import Dict, List, Optional, Tuple

import tensorflow as tf

from mmnet import files, hparams as hparams_file
from mmnet.errors import UserError
from mmnet.quantization import range_variables

BEST = 'best'
SCORES = 'scores.json'
# The steps of all checkpoints ever written, so that an evaluation knows what it has missed.
SAVED = 'checkpoints.json'


def step_of(checkpoint: str) -> int:
    """The global step in a checkpoint's name, `…/model.ckpt-1500`.

    Raises:
        UserError: for a path without one.
    """
    match = re.search(r'-(\d+)$', checkpoint)
    if not match:
        raise UserError('{}: is no checkpoint of train.py; give model.ckpt-STEP, without an '
                        'extension'.format(checkpoint))
    return int(match.group(1))


def listed(directory: str) -> List[str]:
    """The checkpoints that a directory's `checkpoint` file names, oldest first.

    TensorFlow names a checkpoint there only once all its files are written.
    """
    path = os.path.join(directory, 'checkpoint')
    if not os.path.exists(path):
        return []
    try:
        state = tf.train.get_checkpoint_state(directory)
    except tf.errors.OpError:
        state = None
    return list(state.all_model_checkpoint_paths) if state else []


def exists(checkpoint: str) -> bool:
    """Whether a checkpoint's files are there."""
    return os.path.exists(checkpoint + '.index')


def is_whole(checkpoint: str) -> bool:
    """Whether every variable of a checkpoint can be read; its checksums are verified."""
    try:
        reader = tf.train.NewCheckpointReader(checkpoint)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
        return True
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False


def prepare_resume(train_dir: str) -> Tuple[Optional[str], List[str]]:
    """Makes sure that a training goes on from its newest whole checkpoint.

    Files of a write that was cut off are removed, and checkpoints that were damaged since are no
    longer listed.

    Returns:
        the checkpoint to go on from, or None, and those that are damaged.
    """
    for leftover in glob.glob(os.path.join(glob.escape(train_dir), 'model.ckpt-*_temp_*')):
        shutil.rmtree(leftover, ignore_errors=True)
    known = listed(train_dir)
    whole, damaged = [], []
    for checkpoint in reversed(known):
        # Older ones matter only when the newest turns out to be damaged.
        if whole or is_whole(checkpoint):
            whole.insert(0, checkpoint)
        else:
            damaged.append(checkpoint)
    if damaged and not whole:
        raise UserError('{}: none of its {} checkpoints can be read; move them away to start '
                        'anew'.format(train_dir, len(damaged)))
    if damaged:
        tf.train.update_checkpoint_state(train_dir, whole[-1], whole)
    return (whole[-1] if whole else None), damaged


def saver() -> tf.train.Saver:
    """Saves and restores what the default graph's network computes with.

    That is its variables and, if it is quantized, its ranges.
    """
    return tf.train.Saver(tf.model_variables() + range_variables())


def restore(saver: tf.train.Saver, session: tf.Session, checkpoint: str) -> None:
    """Loads a checkpoint's variables.

    Raises:
        UserError: if it cannot be read or belongs to another network.
    """
    try:
        saver.restore(session, checkpoint)
    except (tf.errors.OpError, ValueError) as error:
        raise UserError('{}: cannot be restored, damaged or of another network ({})'.format(
            checkpoint, str(error).split('\n')[0]))


def copy(checkpoint: str, directory: str) -> str:
    """Copies a checkpoint's files and returns the copy's path.

    Raises:
        FileNotFoundError: if it is not there, or is deleted meanwhile.
    """
    files = glob.glob(glob.escape(checkpoint) + '.data-*') + [checkpoint + '.index']
    if len(files) < 2:
        raise FileNotFoundError(checkpoint)
    # The index last: with it the copy exists.
    for file in files:
        shutil.copy(file, directory)
    return os.path.join(directory, os.path.basename(checkpoint))


def keep_best(checkpoint: str, train_dir: str, scores: Dict) -> bool:
    """Keeps a checkpoint in `<train_dir>/best` if no better one of its split is there.

    `best` is a train directory to evaluate and export: it holds the checkpoint, `hparams.json` and
    `scores.json`. It belongs to the split that was evaluated first. The untrained network of step 0
    is no candidate: its flat alpha has few gradients to be wrong about.

    Args:
        checkpoint: a readable copy, wherever it is.
        train_dir: its train directory.
        scores: its record, with `split`, `global_step` and `gradient_error`.

    Returns:
        whether it is the best so far.
    """
    best_dir = os.path.join(train_dir, BEST)
    best = files.read_json(os.path.join(best_dir, SCORES))
    if scores['global_step'] == 0:
        return False
    if best and (best['split'] != scores['split'] or
                 best['gradient_error'] <= scores['gradient_error']):
        return False
    os.makedirs(best_dir, exist_ok=True)
    hparams_file.write(hparams_file.read(train_dir), best_dir)
    kept = copy(checkpoint, best_dir)
    tf.train.update_checkpoint_state(best_dir, kept)
    files.write_json(scores, os.path.join(best_dir, SCORES))
    for file in glob.glob(os.path.join(glob.escape(best_dir), 'model.ckpt-*')):
        if not file.startswith(kept + '.'):
            os.remove(file)
    return True
