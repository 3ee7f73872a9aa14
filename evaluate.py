#!/usr/bin/env python
"""Measures checkpoints and exported files on a split: gradient error, MAD, mean IOU; see README.md.

Checkpoints have losses as well.
"""

import os
import sys
import time
from typing import Any, Callable, Dict

from mmnet import evaluation, flags, hparams
from mmnet.data.pairs import find_pairs
from mmnet.errors import UserError
from mmnet.tflite.interpreter import Interpreter


def main() -> int:
    args = flags.evaluate_parser().parse_args()
    if not args.checkpoint_path:
        return evaluate_other(args)
    if args.watch:
        return watch(args)
    checkpoint = evaluation.resolve(args.checkpoint_path)
    evaluate = prepare(args, os.path.dirname(checkpoint) or '.')
    try:
        record = evaluate(checkpoint)
    except FileNotFoundError:
        # Training deletes its oldest checkpoints; a directory's latest is another one by now.
        record = evaluate(evaluation.resolve(args.checkpoint_path))
    print(evaluation.in_papers_units(record))
    return 0


def evaluate_other(args) -> int:
    """Evaluates an exported file, or what needs none."""
    if args.watch:
        raise UserError('--watch: follows a train directory, given with --checkpoint_path')
    if args.always_foreground:
        size, predict = 1, evaluation.always_foreground
    else:
        interpreter = Interpreter(args.tflite_path)
        size, predict = interpreter.size, evaluation.image_by_image(interpreter.alpha)
    record, _ = make_evaluator(args, size).evaluate(predict)
    print(evaluation.in_papers_units(record))
    return 0


def make_evaluator(args, size: int) -> evaluation.Evaluator:
    """Checks the split."""
    pairs = find_pairs(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs)
    return evaluation.Evaluator(pairs, size, args.batch_size, args.skip_bad_pairs)


def prepare(args, train_dir: str) -> Callable[[str], Dict[str, Any]]:
    """Reads the network's hparams; returns the function that evaluates its checkpoints."""
    settings = hparams.read(train_dir)
    evaluator = make_evaluator(args, settings['image_size'])
    network = evaluation.Checkpoints(settings)
    return lambda checkpoint: evaluation.evaluate_checkpoint(
        evaluator, network, checkpoint, args.dataset_split_name)


def watch(args) -> int:
    """Evaluates every checkpoint of a train directory as it appears."""
    train_dir = args.checkpoint_path
    wait_for_hparams(train_dir, args.timeout)
    evaluate = prepare(args, train_dir)
    records = evaluation.read_records(
        os.path.join(train_dir, f'eval_{args.dataset_split_name}.jsonl'))
    done = [record['global_step'] for record in records]
    if done:
        print(f'going on after {len(done)} checkpoints evaluated before')
    max_steps = args.max_steps or hparams.read(train_dir)['training']['max_steps']
    count = len(done)
    if done and max(done) >= max_steps:
        return 0
    for checkpoint in evaluation.watch(train_dir, done, args.timeout):
        try:
            record = evaluate(checkpoint)
        except FileNotFoundError:
            print('{}: deleted by training before it could be evaluated; raise '
                  '--keep_checkpoint_max there'.format(checkpoint), file=sys.stderr)
            continue
        print(evaluation.in_papers_units(record), flush=True)
        count += 1
        if record['global_step'] >= max_steps:
            return 0
    if not count:
        raise UserError(f'--timeout {args.timeout:g}: no checkpoint came in {train_dir}')
    return 0


def wait_for_hparams(train_dir: str, timeout: float) -> None:
    """Waits for training to start, as this may have been started first."""
    path = os.path.join(train_dir, hparams.FILE_NAME)
    if os.path.isfile(train_dir) or os.path.exists(train_dir + '.index'):
        raise UserError(f'--checkpoint_path {train_dir}: --watch takes a train directory')
    start = time.time()
    if not os.path.exists(path):
        print(f'waiting for {path}', file=sys.stderr)
    while not os.path.exists(path):
        if timeout is not None and time.time() - start > timeout:
            raise UserError(f'--timeout {timeout:g}: no training started in {train_dir}')
        time.sleep(evaluation.POLL_SECONDS)


if __name__ == '__main__':
    flags.run(main)
