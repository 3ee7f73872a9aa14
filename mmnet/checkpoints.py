"""Checkpoint files: which are whole, which is the latest, which is the best."""

import glob
import math
import os
import re
import shutil
import sys
from typing import Any, Dict, List, Optional, Tuple

import tensorflow as tf

from mmnet import files, hparams
from mmnet.errors import UserError
from mmnet.quantization import range_variables

BEST = 'best'
SCORES = 'scores.json'
# The step of every checkpoint written so far. It tells an evaluation which ones it has missed.
SAVED = 'checkpoints.json'
# A variable's moving average is stored under the variable's name and this ending.
AVERAGE = '/ExponentialMovingAverage'


def step_of(checkpoint: str) -> int:
    """Returns the global step in a checkpoint's name, `…/model.ckpt-1500`.

    Raises:
        UserError: for a path without a step.
    """
    match = re.search(r'-(\d+)$', checkpoint)
    if not match:
        raise UserError(f'{checkpoint}: is not a checkpoint of train.py; give model.ckpt-STEP, '
                        f'without an extension')
    return int(match.group(1))


def listed(directory: str) -> List[str]:
    """Lists the checkpoints that a directory's `checkpoint` file names, oldest first.

    TensorFlow names a checkpoint there once all its files are written. The list is empty if the
    file is missing or damaged, as a loss of power may leave it.
    """
    path = os.path.join(directory, 'checkpoint')
    if not os.path.exists(path):
        return []
    try:
        state = tf.train.get_checkpoint_state(directory)
    except (tf.errors.OpError, ValueError):
        state = None
    return list(state.all_model_checkpoint_paths) if state else []


def on_disk(directory: str) -> List[str]:
    """Lists the checkpoints whose files lie in a directory, complete or not, oldest first."""
    found = set()
    for path in glob.glob(os.path.join(glob.escape(directory), 'model.ckpt-*')):
        match = re.match(r'(.*/model\.ckpt-\d+)\.(index|meta|data-\d+-of-\d+)$', path)
        if match:
            found.add(match.group(1))
    return sorted(found, key=step_of)


def exists(checkpoint: str) -> bool:
    """Returns whether a checkpoint's files are there."""
    return (os.path.exists(checkpoint + '.index') and
            bool(glob.glob(glob.escape(checkpoint) + '.data-*')))


def saved_steps(train_dir: str) -> List[int]:
    """Returns the step of every checkpoint written so far; none if the note is damaged."""
    steps = files.read_json(os.path.join(train_dir, SAVED))
    if not isinstance(steps, list) or not all(isinstance(step, int) for step in steps):
        return []
    return steps


def check_name(path: str, shown: str) -> None:
    """Refuses the path of a checkpoint or its directory that TensorFlow takes for a pattern.

    Args:
        path: as it is given to TensorFlow.
        shown: the path in the message, with its flag if it has one.

    Raises:
        UserError: if it contains `[` or a backslash.
    """
    if '[' in path or '\\' in path:
        raise UserError(f'{shown}: TensorFlow cannot read checkpoints from paths with [ or \\; '
                        f'rename it')


def is_whole(checkpoint: str) -> bool:
    """Returns whether every variable of a checkpoint can be read; verifies the checksums."""
    try:
        reader = tf.train.NewCheckpointReader(checkpoint)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
        return True
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False


def resolve(checkpoint_path: str, flag: str = '--checkpoint_path') -> str:
    """Resolves a path to a checkpoint: itself, or the latest one of a directory.

    Args:
        checkpoint_path: a checkpoint or a train directory.
        flag: the flag that the path came with, for messages.

    Raises:
        UserError: if there is no such checkpoint.
    """
    if checkpoint_path.endswith('.tflite') and os.path.isfile(checkpoint_path):
        raise UserError(f'{flag} {checkpoint_path}: is an exported file; name a train directory or '
                        f'a checkpoint')
    if not os.path.isdir(checkpoint_path):
        checkpoint = checkpoint_path
        for extension in ('.index', '.meta'):
            if checkpoint.endswith(extension):
                checkpoint = checkpoint[:-len(extension)]
        if not exists(checkpoint):
            there = [checkpoint + extension for extension in ('.index', '.meta')
                     if os.path.exists(checkpoint + extension)]
            reason = (f'its files are incomplete, beside {there[0]}' if there
                      else 'no such directory or checkpoint; name a train directory or '
                           'model.ckpt-STEP in one')
            raise UserError(f'{flag} {checkpoint_path}: {reason}')
        return checkpoint
    known = listed(checkpoint_path)
    if not any(map(exists, known)):
        known = on_disk(checkpoint_path)
    while known and not exists(known[-1]):
        print(f'{known[-1]}: damaged, its files are incomplete; using an older checkpoint',
              file=sys.stderr)
        known.pop()
    if not known:
        raise UserError(f'{flag} {checkpoint_path}: holds no checkpoint; name a train directory or '
                        f'a checkpoint, or wait for the first with evaluate.py --watch')
    return known[-1]


def prepare_resume(train_dir: str) -> Tuple[Optional[str], List[str]]:
    """Finds the newest whole checkpoint of a run that is about to resume.

    Removes the files of a write that was cut off, and takes damaged checkpoints off the list.
    Whole checkpoints are listed again if the list was lost, or if training was killed before it
    was written. Standard error names what is removed or listed again.

    Returns:
        the checkpoint to resume from, or None, and the damaged ones.

    Raises:
        UserError: if there are checkpoints but all are damaged, or if the newest has bare
            weights, without what training needs to resume.
    """
    for leftover in glob.glob(os.path.join(glob.escape(train_dir), 'model.ckpt-*_temp_*')):
        shutil.rmtree(leftover, ignore_errors=True)
    known = _recovered(train_dir)
    whole: List[str] = []
    damaged: List[str] = []
    for checkpoint in reversed(known):
        # Older checkpoints are read only if the newest turns out to be damaged.
        if whole or is_whole(checkpoint):
            whole.insert(0, checkpoint)
        else:
            damaged.append(checkpoint)
    if damaged and not whole:
        raise UserError(f'{train_dir}: none of its {len(damaged)} checkpoints can be read; move '
                        f'the directory away to start anew')
    if whole and 'global_step' not in dict(tf.train.list_variables(whole[-1])):
        raise UserError(f'--train_dir {train_dir}: holds bare weights, from which no run can '
                        f'resume; choose another directory, and pass --init_checkpoint {train_dir}')
    if whole != listed(train_dir):
        _list(train_dir, whole)
    return (whole[-1] if whole else None), damaged


def _list(directory: str, found: List[str]) -> None:
    """Names checkpoints in a directory's `checkpoint` file, so that the directory can be moved."""
    names = [os.path.basename(path) for path in found]
    # TensorFlow leaves relative names alone only in a directory that is given absolutely.
    tf.train.update_checkpoint_state(os.path.abspath(directory), names[-1], names)


def _recovered(train_dir: str) -> List[str]:
    """Lists the checkpoints to consider: the listed ones, and newer ones that are whole.

    Others that are not whole are removed, unless the list was lost.
    """
    known = listed(train_dir)
    lost = not known
    newest = -1 if lost else step_of(known[-1])
    names = {os.path.basename(path) for path in known}
    for path in on_disk(train_dir):
        if os.path.basename(path) in names:
            continue
        if not is_whole(path):
            if lost:
                known.append(path)      # it may be all that is left
                continue
            print(f'{path}: removing what is left of it; it was never finished or is being deleted',
                  file=sys.stderr)
            for leftover in glob.glob(glob.escape(path) + '.*'):
                os.remove(leftover)
        elif step_of(path) > newest:
            print(f'{path}: whole but not listed; listing it again', file=sys.stderr)
            known.append(path)
    return known


def saver(averaged: bool) -> tf.train.Saver:
    """Makes a saver for the variables and learned ranges of the default graph's network.

    Args:
        averaged: load the moving averages that --ema_decay keeps of the variables.
    """
    ending = AVERAGE if averaged else ''
    return tf.train.Saver({
        **{variable.op.name + ending: variable for variable in tf.model_variables()},
        **{variable.op.name: variable for variable in range_variables()}})


def save(saver: tf.train.Saver, session: tf.Session, path: str, **kwargs) -> None:
    """Saves a checkpoint; see `tf.train.Saver.save`.

    Raises:
        UserError: if it cannot be written.
    """
    try:
        saver.save(session, path, **kwargs)
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(f'{path}: cannot be written ({reason_of(error)})')


def reason_of(error: Exception) -> str:
    """Returns what went wrong with a file, in the words of TensorFlow's error."""
    return str(getattr(error, 'message', error)).split('\n')[0].split('; ')[-1]


def missing_variable(error: Exception) -> str:
    """Returns the part of an error that names a variable no checkpoint has, or ''."""
    found = re.search(r'Key \S+ not found', str(error))
    return found.group() if found else ''


def restore(saver: tf.train.Saver, session: tf.Session, checkpoint: str) -> None:
    """Loads a checkpoint's variables.

    Raises:
        UserError: if the checkpoint cannot be read or belongs to another network.
    """
    check_name(checkpoint, checkpoint)
    try:
        saver.restore(session, checkpoint)
    except (tf.errors.OpError, ValueError) as error:
        reason = missing_variable(error) or str(error).split('\n')[0]
        raise UserError(f'{checkpoint}: cannot be restored; it is damaged or belongs to another '
                        f'network ({reason})')


def copy(checkpoint: str, directory: str) -> str:
    """Copies a checkpoint's files and returns the path of the copy.

    Raises:
        FileNotFoundError: if the checkpoint is missing, or is deleted during the copy.
        UserError: if the copy cannot be written.
    """
    paths = glob.glob(glob.escape(checkpoint) + '.data-*') + [checkpoint + '.index']
    if len(paths) < 2:
        raise FileNotFoundError(checkpoint)
    # The index comes last: with it the copy exists.
    for path in paths:
        try:
            shutil.copy(path, directory)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UserError(f'{directory}: cannot be written ({error.strerror})')
    return os.path.join(directory, os.path.basename(checkpoint))


def keep_best(checkpoint: str, train_dir: str, scores: Dict) -> bool:
    """Copies a checkpoint to `<train_dir>/best` if none is there, or a worse one of these photos.

    `best` can be evaluated and exported like a train directory. It holds the checkpoint,
    `hparams.json` and `scores.json`, and belongs to the photos that were evaluated first. The
    untrained network of step 0 does not count: its flat alpha has no edges to misplace.

    Args:
        checkpoint: a readable copy, wherever it is.
        train_dir: the checkpoint's train directory.
        scores: the checkpoint's record, with `split`, `data`, `global_step` and `gradient_error`.

    Returns:
        whether the checkpoint is the best so far.
    """
    best_dir = os.path.join(train_dir, BEST)
    if scores['global_step'] == 0 or not math.isfinite(scores['gradient_error']):
        return False
    # Evaluations of two splits may run side by side, and share the directory.
    with files.locked(best_dir):
        best = files.read_json(os.path.join(best_dir, SCORES))
        if _stands(best, scores):
            return False
        hparams.write(hparams.read(train_dir), best_dir)
        kept = copy(checkpoint, best_dir)
        _list(best_dir, [kept])
        files.write_json(scores, os.path.join(best_dir, SCORES))
        for path in glob.glob(os.path.join(glob.escape(best_dir), 'model.ckpt-*')):
            if not path.startswith(kept + '.'):
                os.remove(path)
    return True


def _stands(best: Any, scores: Dict) -> bool:
    """Returns whether the scores of the best checkpoint keep it there."""
    if not isinstance(best, dict) or not {'split', 'gradient_error'} <= set(best) or \
            not math.isfinite(best['gradient_error']):
        return False
    # Older scores do not name their photos.
    same_photos = (best['split'] == scores['split'] and
                   best.get('data', scores.get('data')) == scores.get('data'))
    return not same_photos or best['gradient_error'] <= scores['gradient_error']
