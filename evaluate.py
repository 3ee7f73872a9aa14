#!/usr/bin/env python
"""Measures checkpoints on a split: gradient error, MAD, mean IOU, losses; see README.md."""

import os
import sys
import time

from mmnet import evaluation, flags, hparams
from mmnet.data.pairs import find_pairs
from mmnet.errors import UserError


def main() -> int:
    args = flags.evaluate_parser().parse_args()
    if args.watch:
        return watch(args)
    checkpoint = evaluation.resolve(args.checkpoint_path)
    evaluator = prepare(args, os.path.dirname(checkpoint) or '.')
    try:
        record = evaluation.evaluate_checkpoint(evaluator, checkpoint, args.dataset_split_name)
    except FileNotFoundError:
        # Training deletes its oldest checkpoints; a directory's latest is another one by now.
        checkpoint = evaluation.resolve(args.checkpoint_path)
        record = evaluation.evaluate_checkpoint(evaluator, checkpoint, args.dataset_split_name)
    print(evaluation.in_papers_units(record))
    return 0


def prepare(args, train_dir: str) -> evaluation.Evaluator:
    """Reads the network's hparams and checks the split."""
    settings = hparams.read(train_dir)
    pairs = find_pairs(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs)
    return evaluation.Evaluator(pairs, settings, args.batch_size, args.skip_bad_pairs)


def watch(args) -> int:
    """Evaluates every checkpoint of a train directory as it appears."""
    train_dir = args.checkpoint_path
    wait_for_hparams(train_dir, args.timeout)
    evaluator = prepare(args, train_dir)
    records = evaluation.read_records(
        os.path.join(train_dir, 'eval_{}.jsonl'.format(args.dataset_split_name)))
    done = [record['global_step'] for record in records]
    if done:
        print('going on after {} checkpoints evaluated before'.format(len(done)))
    max_steps = args.max_steps or hparams.read(train_dir)['training']['max_steps']
    count = len(done)
    if done and max(done) >= max_steps:
        return 0
    for checkpoint in evaluation.watch(train_dir, done, args.timeout):
        try:
            record = evaluation.evaluate_checkpoint(evaluator, checkpoint, args.dataset_split_name)
        except FileNotFoundError:
            print('{}: deleted by training before it could be evaluated; raise '
                  '--keep_checkpoint_max there'.format(checkpoint), file=sys.stderr)
            continue
        print(evaluation.in_papers_units(record), flush=True)
        count += 1
        if record['global_step'] >= max_steps:
            return 0
    if not count:
        raise UserError('--timeout {:g}: no checkpoint came in {}'.format(args.timeout, train_dir))
    return 0


def wait_for_hparams(train_dir: str, timeout: float) -> None:
    """Waits for training to start, as this may have been started first."""
    path = os.path.join(train_dir, hparams.FILE_NAME)
    if os.path.isfile(train_dir) or os.path.exists(train_dir + '.index'):
        raise UserError('--checkpoint_path {}: --watch takes a train directory'.format(train_dir))
    start = time.time()
    if not os.path.exists(path):
        print('waiting for {}'.format(path), file=sys.stderr)
    while not os.path.exists(path):
        if timeout is not None and time.time() - start > timeout:
            raise UserError('--timeout {:g}: no training started in {}'.format(timeout, train_dir))
        time.sleep(evaluation.POLL_SECONDS)


if __name__ == '__main__':
    flags.run(main)
