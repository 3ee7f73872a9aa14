"""Follows a training: its checkpoints one by one, as they appear."""

import os
import sys
import time
from typing import Collection, Iterator, List, Optional

from mmnet import checkpoints, hparams
from mmnet.errors import UserError

POLL_SECONDS = 2


def watch(train_dir: str, done: Collection[int], timeout: Optional[float]) -> Iterator[str]:
    """Yields every checkpoint of a run as it appears, oldest first.

    Checkpoints that training deleted before their turn are named on standard error.

    Args:
        train_dir: the train directory.
        done: steps that need no evaluation any more.
        timeout: seconds to wait for a new checkpoint; None waits for ever.

    Raises:
        UserError: if the directory is deleted.
    """
    handled, waiting_since = set(done), time.time()
    while True:
        if not os.path.isdir(train_dir):
            raise UserError(f'{train_dir}: was deleted; there is nothing left to evaluate')
        saved = checkpoints.saved_steps(train_dir)
        known = {checkpoints.step_of(path): path for path in checkpoints.listed(train_dir)}
        fresh = {*saved, *known} - handled
        if not fresh:
            if timeout is not None and time.time() - waiting_since > timeout:
                return
            time.sleep(POLL_SECONDS)
            continue
        step = min(fresh)
        handled.add(step)
        path = known.get(step, os.path.join(train_dir, f'model.ckpt-{step}'))
        if checkpoints.is_whole(path):
            yield path
            waiting_since = time.time()
        elif checkpoints.exists(path):
            print(f'{path}: damaged, so it is not evaluated', file=sys.stderr)
        else:
            report_deleted(path)


def report_deleted(checkpoint: str) -> None:
    """Says that training deleted a checkpoint too early."""
    print(f'{checkpoint}: deleted by training before it could be evaluated; raise train.py\'s '
          f'--keep_checkpoint_max', file=sys.stderr)


def pending(train_dir: str, done: Collection[int]) -> List[int]:
    """Lists the steps of the whole checkpoints that are there and not done yet."""
    fresh = [path for path in checkpoints.listed(train_dir)
             if checkpoints.step_of(path) not in done]
    return [checkpoints.step_of(path) for path in fresh if checkpoints.is_whole(path)]


def wait_for_training(train_dir: str, timeout: Optional[float]) -> None:
    """Waits for training to begin, because evaluation may be started first.

    Args:
        train_dir: the train directory, which need not exist yet.
        timeout: seconds to wait; None waits for ever.

    Raises:
        UserError: for a checkpoint or file in place of a directory, and at the time-out.
    """
    path, start = os.path.join(train_dir, hparams.FILE_NAME), time.time()
    if not train_dir or os.path.isfile(train_dir) or checkpoints.exists(train_dir):
        raise UserError(f'--checkpoint_path {train_dir}: --watch takes a train directory; '
                        f'name one, or leave out --watch')
    if not os.path.exists(path):
        print(f'waiting for {path}', file=sys.stderr)
    while not os.path.exists(path):
        if timeout is not None and time.time() - start > timeout:
            raise UserError(f'--timeout {timeout:g}: no training started in {train_dir}; '
                            f'start train.py, or raise --timeout')
        time.sleep(POLL_SECONDS)
