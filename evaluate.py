#!/usr/bin/env python
"""Measures checkpoints and exported files on a split: gradient error, MAD, IOU; see README.md.

For checkpoints, it also reports the losses.
"""

import argparse
import os
from typing import TYPE_CHECKING, Callable, Dict, List, Mapping

from mmnet import cli

with cli.starting():
    import numpy as np

    from mmnet import (environments, evaluation, files, inference, pretrained, records, scores,
                       steady)
    from mmnet.data.pairs import Pair, describe, find_clips, find_sets, hold_out, set_names
    from mmnet.errors import UserError
    from mmnet.records import Record
    from mmnet.runtime import Interpreter, following

if TYPE_CHECKING:
    from mmnet.hparams import HParams

# The default of --dataset_split_name; `check_flags` compares with it.
SPLIT = 'test'
# The default of --batch_size. The flag's own is None, so `check_flags` knows whether it was given.
BATCH_SIZE = 32

# Only checkpoints need TensorFlow, so the functions that read them import what needs it.


def main() -> int:
    args = make_parser().parse_args()
    check_flags(args)
    if args.clips:
        return evaluate_clips(args)
    if args.checkpoint_path is None:
        return evaluate_without_checkpoint(args)
    environments.enter('tensorflow')
    return watch(args) if args.watch else evaluate_once(args)


def make_parser() -> cli.Parser:
    parser = cli.Parser('Measures checkpoints of a run, or an exported file, on a split. A '
                        'checkpoint\'s network is read from the hparams.json beside it.')
    cli.add_data_flags(parser, split=SPLIT)
    measured = parser.add_mutually_exclusive_group(required=True)
    measured.add_argument('--checkpoint_path', type=pretrained.find, help='a train directory (its '
                          'latest checkpoint), one checkpoint, or pretrained:NAME')
    measured.add_argument('--tflite_path', type=pretrained.find,
                          help='a file that export_tflite.py wrote, or pretrained:NAME')
    measured.add_argument('--always_foreground', action='store_true',
                          help='measure the baseline: alpha = 1 everywhere')
    parser.add_argument('--validation', action='store_true',
                        help='measure the photos that train.py --validation_fraction held out, '
                        'instead of a split')
    parser.add_argument('--clips', action='store_true', help='read the data sets as folders of '
                        'clips, <clip>/{image,mask}, and measure flicker (dtSSD), too')
    parser.add_argument('--steady', action='store_true', help='with --clips: steady the mattes as '
                        'matte.py --steady does')
    parser.add_argument('--metrics', choices=('paper', 'all'), default='paper',
                        help='all adds the metrics of other papers')
    cli.add_json_flag(parser)
    cli.add_runtime_flag(parser)
    parser.add_argument('--batch_size', type=cli.positive(int),
                        help=f'images at a time ({BATCH_SIZE})')
    parser.add_argument('--watch', action='store_true',
                        help='measure every checkpoint as training writes it')
    parser.add_argument('--max_steps', type=cli.positive(int),
                        help='with --watch: exit once the checkpoint of this step is measured; by '
                        'default the training\'s last step')
    parser.add_argument('--timeout', type=cli.positive(float),
                        help='with --watch: exit after this many seconds without a new '
                        'checkpoint; by default never')
    return parser


def check_flags(args: argparse.Namespace) -> None:
    """Refuses flags that do not go together.

    Raises:
        UserError: names them, and says what to do.
    """
    for wrong, message in (
            (not args.watch and (args.timeout or args.max_steps),
             '--timeout and --max_steps: need --watch; add it, or leave them out'),
            (args.steady and not args.clips,
             '--steady: applies to clips only; add --clips, or leave it out'),
            (args.dataset_split_name != SPLIT and (args.clips or args.validation),
             f'--dataset_split_name {args.dataset_split_name}: is not read with --clips or '
             f'--validation; leave it out'),
            (args.runtime and not args.tflite_path,
             '--runtime: applies to exported files only; name one with --tflite_path, or leave it '
             'out'),
            (args.batch_size and args.clips,
             '--batch_size: clips are measured frame by frame; leave it out'),
            (args.clips and (args.always_foreground or args.watch or args.validation),
             '--clips: cannot be combined with --always_foreground, --watch or --validation; leave '
             'them out'),
            (args.tflite_path and os.path.isdir(args.tflite_path),
             f'--tflite_path {args.tflite_path}: is a folder; name an exported file, or give the '
             f'folder with --checkpoint_path'),
            (args.watch and not args.checkpoint_path,
             '--watch: needs a train directory; name one with --checkpoint_path'),
            (args.validation and not args.checkpoint_path,
             '--validation: needs a train directory, whose hparams.json says which photos were '
             'held out; name it with --checkpoint_path')):
        if wrong:
            raise UserError(message)


def finish(args: argparse.Namespace, record: Record) -> int:
    """Writes a record to --json and prints it; returns the exit status."""
    if args.json:
        files.write_json({**record, 'conventions': scores.conventions(record)}, args.json)
    records.report(record)
    return 0


def evaluate_without_checkpoint(args: argparse.Namespace) -> int:
    """Measures an exported file, or the baseline that needs none."""
    if args.always_foreground:
        # Any size will do; OpenCV enlarges a single pixel wrongly.
        size, predict, predict_with_past = 2, evaluation.always_foreground, None
    else:
        runtime = environments.enter(args.runtime or cli.RUNTIME)
        predictor = Interpreter(args.tflite_path, runtime).predictor()
        size, predict = predictor.size, evaluation.image_by_image(predictor.alpha)
        predict_with_past = (evaluation.with_own_past(predictor.alpha) if predictor.remembers
                             else None)
    sets = find_sets(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs)
    record, _ = make_evaluator(args, sets, size).evaluate(predict, predict_with_past)
    return finish(args, record)


def evaluate_clips(args: argparse.Namespace) -> int:
    """Measures a network frame by frame on clips, steadied or not."""
    path = args.tflite_path or args.checkpoint_path
    flag = '--tflite_path' if args.tflite_path else '--checkpoint_path'
    predictor = inference.load(path, flag, environments.enter_for([path], args.runtime, flag))
    clips = {(os.path.join(name, clip) if len(args.dataset_path) > 1 else clip): frames
             for name, dataset in zip(set_names(args.dataset_path), args.dataset_path)
             for clip, frames in find_clips(dataset, args.skip_bad_pairs).items()}

    def make() -> Callable[[np.ndarray], np.ndarray]:
        followed = following(predictor)
        return (steady.steadied(followed) if args.steady else followed).alpha
    return finish(args, evaluation.evaluate_clips(
        clips, predictor.size, make, args.metrics == 'all', args.skip_bad_pairs))


def make_evaluator(args: argparse.Namespace, sets: Mapping[str, List[Pair]],
                   size: int) -> evaluation.Evaluator:
    """Prepares the metrics of the data sets."""
    return evaluation.Evaluator(sets, size, args.batch_size or BATCH_SIZE, args.skip_bad_pairs,
                                args.metrics == 'all')


def held_out(args: argparse.Namespace, trained: 'HParams') -> Dict[str, List[Pair]]:
    """Finds the pairs that training left out for validation.

    Raises:
        UserError: if it left out none.
    """
    fraction = trained.training.validation_fraction
    if fraction is None:
        raise UserError(f'--validation: the training in {args.checkpoint_path} left out no '
                        f'photos; train with --validation_fraction')
    sets = find_sets(args.dataset_path, trained.training.dataset_split_name, args.skip_bad_pairs)
    return {name: hold_out(pairs, fraction)[1] for name, pairs in sets.items()}


def split_of(args: argparse.Namespace) -> str:
    """Returns the name under which records are kept."""
    return records.VALIDATION if args.validation else args.dataset_split_name


def prepare(args: argparse.Namespace, train_dir: str,
            trained: 'HParams') -> Callable[[str], Record]:
    """Finds the photos; returns the function that measures a checkpoint of a train directory.

    Raises:
        UserError: if photos cannot be read, or to watch with other photos than before.
    """
    from mmnet.checkpoint_evaluation import CheckpointPredictor, evaluate_checkpoint
    sets = (held_out(args, trained) if args.validation else
            find_sets(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs))
    data, path = describe(sets), records.path_of(train_dir, split_of(args))
    if args.watch and records.of_other_photos(path, data):
        raise UserError(f'{path}: holds results for other photos; move it and best/ away, or leave '
                        f'out --watch')
    evaluator = make_evaluator(args, sets, trained.image_size)
    network = CheckpointPredictor(trained)
    return lambda checkpoint: evaluate_checkpoint(
        evaluator, network, checkpoint, split_of(args), data)


def evaluate_once(args: argparse.Namespace) -> int:
    """Measures one checkpoint."""
    from mmnet import checkpoints, hparams
    checkpoint = checkpoints.resolve(args.checkpoint_path)
    train_dir = os.path.dirname(checkpoint) or '.'
    evaluate = prepare(args, train_dir, hparams.read(train_dir))
    try:
        record = evaluate(checkpoint)
    except FileNotFoundError:
        # Training deletes its oldest checkpoints; the directory has a newer one by now.
        record = evaluate(checkpoints.resolve(args.checkpoint_path))
    return finish(args, record)


def watch(args: argparse.Namespace) -> int:
    """Measures every checkpoint of a train directory as it appears."""
    from mmnet import hparams, watching
    train_dir = args.checkpoint_path
    watching.wait_for_training(train_dir, args.timeout)
    files.check_writable(train_dir, '--checkpoint_path')
    trained = hparams.read(train_dir)
    evaluate = prepare(args, train_dir, trained)
    done = [record['global_step'] for record in records.read_records(
        records.path_of(train_dir, split_of(args)))]
    if done:
        print(f'skipping {len(done)} checkpoints that are already evaluated')

    def finished() -> bool:
        last = args.max_steps or hparams.read(train_dir).training.max_steps
        return bool(done) and max(done) >= last and not any(
            step <= last for step in watching.pending(train_dir, done))
    if finished():
        print('all checkpoints are evaluated; raise --max_steps to wait for later ones')
        return 0
    for checkpoint in watching.watch(train_dir, done, args.timeout):
        found = hparams.read(train_dir)
        if found != trained:
            # Another training may have taken the directory before its first checkpoint.
            trained, evaluate = found, prepare(args, train_dir, found)
        try:
            record = evaluate(checkpoint)
        except FileNotFoundError:
            watching.report_deleted(checkpoint)
            continue
        finish(args, record)
        done.append(record['global_step'])
        if finished():
            return 0
    if not done:
        raise UserError(f'--timeout {args.timeout:g}: no checkpoint appeared in {train_dir}; '
                        f'check that training runs, or raise --timeout')
    return 0


if __name__ == '__main__':
    cli.run(main)
