#!/usr/bin/env python
"""Trains a portrait matting network on image/alpha pairs; see README.md."""

import argparse
import contextlib
import dataclasses
import sys
from typing import Dict, List, Optional

from mmnet import cli

with cli.starting():
    import numpy as np

    from mmnet import (checkpoints, files, flags, hparams, inputs, pretrained, teacher, training,
                       warm_start, workers)
    from mmnet.cli import SEEDS
    from mmnet.data.pairs import Pair, find_photos, find_sets, hold_out, set_names
    from mmnet.errors import UserError
    from mmnet.hparams import HParams

# Pairs, or photos without masks, by the name of their data set.
Sets = Dict[str, List[Pair]]


def main() -> int:
    args = flags.train_parser().parse_args()
    run = self_supervised(args) if args.soc else flags.to_hparams(args)
    checkpoints.check_name(args.train_dir, f'--train_dir {args.train_dir}')
    ranks = workers.start()
    if ranks.first:
        hparams.check_resumable(run, args.train_dir)
    sets = find_training_sets(args, run)

    with contextlib.ExitStack() as stack:
        if ranks.first:
            try:
                stack.enter_context(files.locked(args.train_dir, wait=False))
            except BlockingIOError:
                raise UserError(f'--train_dir {args.train_dir}: another run is using it; wait '
                                f'for it or choose another directory')
            files.check_writable(args.train_dir, '--train_dir')
        return train(args, run, sets, ranks)


def find_training_sets(args: argparse.Namespace, run: HParams) -> Sets:
    """Finds the pairs or photos to train on; leaves out those held out for validation."""
    if args.soc:
        return {name: find_photos(path, args.skip_bad_pairs)
                for name, path in zip(set_names(args.dataset_path), args.dataset_path)}
    sets = find_sets(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs)
    return {name: hold_out(pairs, run.training.validation_fraction)[0]
            for name, pairs in sets.items()}


def self_supervised(args: argparse.Namespace) -> HParams:
    """Returns the hyperparameters of --soc, which continues a trained network."""
    if not args.init_checkpoint:
        raise UserError('--soc: starts from a trained network; give it with --init_checkpoint')
    if args.dataset_split_name != hparams.Training.dataset_split_name:
        raise UserError(f'--dataset_split_name {args.dataset_split_name}: is not read with --soc, '
                        f'which takes all photos in the folder --dataset_path; leave it out')
    checkpoint = checkpoints.resolve(pretrained.find(args.init_checkpoint), '--init_checkpoint')
    return flags.adapted_hparams(args, hparams.read_beside(checkpoint))


def train(args: argparse.Namespace, run: HParams, sets: Sets, ranks: workers.Ranks) -> int:
    """Starts or resumes training; returns the exit status."""
    checkpoint = find_checkpoint(args.train_dir, ranks)
    step = checkpoints.step_of(checkpoint) if checkpoint else 0
    if checkpoint and ranks.first:
        run = warm_start.keep_start(run, args.train_dir)
    options = run.training
    if options.seed is None and ranks.size > 1:
        # All ranks need one order of the photos. The run itself keeps no seed.
        options = dataclasses.replace(options, seed=ranks.share(np.random.randint(SEEDS)))
    if step >= options.max_steps:
        if ranks.first:
            print(f'{args.train_dir}: already at step {step}; raise --max_steps to go on')
            for change in hparams.changes(run, args.train_dir):
                print('  ' + change)
        return 0
    if run.quantization and not (checkpoint or options.init_checkpoint or options.quant_delay):
        raise UserError('--quantize: a network learns little if it is rounded from the first step '
                        'on; give a trained one with --init_checkpoint, or a --quant_delay')
    if ranks.first:
        announce(run, sets, checkpoint, args.train_dir, ranks)
        if options.init_checkpoint and not checkpoint:
            # Reading the photos may take an hour, so a wrong checkpoint is found first.
            warm_start.check_start(run)
    guide = teacher.load(options.teacher, '--teacher') if options.teacher else None
    photos = inputs.load(sets, options, run.image_size, args.cache_dir, args.skip_bad_pairs,
                         run.previous_alpha and not options.soc, ranks.local_size)
    if ranks.first:
        hparams.write(run, args.train_dir)
    return training.train(run, args.train_dir, lambda: inputs.make_dataset(
        photos, options, step, ranks), len(photos), step, guide, ranks)


def find_checkpoint(train_dir: str, ranks: workers.Ranks) -> Optional[str]:
    """Finds the checkpoint to resume from, the same for all ranks; names the damaged ones."""
    checkpoint, damaged = checkpoints.prepare_resume(train_dir) if ranks.first else (None, [])
    for path in damaged:
        print(f'{path}: damaged, going on from an older checkpoint', file=sys.stderr)
    # Only the first rank's machine may have the directory.
    return ranks.share(checkpoint)


def announce(run: HParams, sets: Sets, checkpoint: Optional[str], train_dir: str,
             ranks: workers.Ranks) -> None:
    """Prints what is trained, and what a resumed run does differently from before."""
    sizes = ' + '.join(f'{len(pairs)}' for pairs in sets.values())
    print(f'{run.model}, {sizes} {"photos" if run.training.soc else "pairs"}, '
          f'{"going on from" if checkpoint else "training in"} {checkpoint or train_dir}' +
          (f', {ranks.size} workers' if ranks.size > 1 else ''))
    for change in hparams.changes(run, train_dir) if checkpoint else []:
        print('  ' + change)


if __name__ == '__main__':
    cli.run(main)
