#!/usr/bin/env python
"""Reproduces a table or figure of the paper on any photos: trains its rows, measures, compares.

    reproduce.py table3 --dataset_path DATASET… --output_dir OUT [FLAG…] [-- TRAIN_FLAG…]

All rows get the same steps, data and flags. The last checkpoint counts, or, with
--validation_fraction, the best one on photos held out of training. Finished rows are not trained
again, so the same command resumes after an interruption. OUT/runs holds the train directories. OUT
gets results.json, a Markdown and a CSV table, claims.md, and the figures.
"""

import argparse
import glob
import os
import re
import shlex
import sys
from typing import Any, Dict, List, Tuple

from mmnet import cli

with cli.starting():
    import numpy as np
    from tqdm import tqdm

    from mmnet import environments, files, flags, grabcut, hparams, inference
    from mmnet.data import decode
    from mmnet.data.pairs import Pair, describe, find_sets, hold_out
    from mmnet.data.pixels import load_sets
    from mmnet.errors import UserError
    from mmnet.reproduction import paper, plots, runs, tables
    from mmnet.reproduction.runs import Run, Setup
    from mmnet.reproduction.tables import Results

ROOT = environments.ROOT
FIGURES = ('figure1', 'figure5')
LATENCY = 'latency.json'
# Flags of train.py that this program gives itself.
OWN_FLAGS = ('--dataset_path', '--dataset_split_name', '--train_dir', '--model', '--image_size',
             '--width_multiplier', '--output_stride', '--max_steps', '--seed', '--quantize',
             '--validation_fraction', '--init_checkpoint')
# Further ones that it gives where checkpoints are chosen on held-out photos.
CHOICE_FLAGS = ('--save_checkpoints_steps', '--keep_checkpoint_max')
# Rows of Figure 5.
PHOTOS = 6


def main() -> int:
    args, train_flags = parse(sys.argv[1:])
    targets = list(paper.TARGETS) if args.target == 'all' else [args.target]
    setup = Setup(ROOT, args.output_dir, tuple(args.dataset_path),
                  tuple(args.test_path or args.dataset_path), args.max_steps, tuple(train_flags),
                  args.validation_fraction)
    wanted = wanted_runs(args, targets, setup)
    check_flags(wanted, setup)
    if set(targets) & set(FIGURES):
        plots.check_matplotlib()
    if not args.no_latency and not environments.is_set_up('litert'):
        raise UserError('.venv-litert: not found, and latencies are measured in LiteRT; run '
                        'scripts/setup.sh --litert once, or pass --no_latency')
    if args.no_latency and args.target == 'figure1':
        raise UserError('--no_latency: figure1 shows latencies; leave it out')
    check_output_dir(args.output_dir)
    sets = {name: hold_out(pairs, args.validation_fraction)[0]
            for name, pairs in find_sets(setup.dataset_paths, 'train').items()}
    tests = find_sets(setup.test_paths, 'test')
    train_data, test_data = describe(sets), describe(tests)
    for run in wanted:
        runs.check(run, train_data)
    unfinished = [run for run in wanted if run.finished(test_data) is None]
    if args.dry_run:
        return dry_run(wanted, unfinished)
    if unfinished:
        # A test photo that cannot be decoded is found now, not after a night of training.
        load_sets(tests, 32)

    for number, run in enumerate(unfinished, start=1):
        print(f'== {number}/{len(unfinished)}: {run.name}', flush=True)
        runs.carry_out(run, train_data, test_data)
        report(args, targets, setup, train_data, test_data)
    if not args.no_latency:
        measure_latency(args)
    results = report(args, targets, setup, train_data, test_data)
    if 'figure1' in targets and results.timed():
        plots.figure1(results, tables.rows_of_target('figure1', results),
                      os.path.join(args.output_dir, 'figure1.png'))
    if 'figure5' in targets:
        draw_figure5(args, setup, tests, [run.row for run in wanted])
    print(tables.claims_table(results), end='')
    print(f'{args.output_dir}: {", ".join(sorted(os.listdir(args.output_dir)))}')
    return 0


def parse(argv: List[str]) -> Tuple[argparse.Namespace, List[str]]:
    """Returns the arguments, and what follows `--`, which goes to train.py."""
    parser = cli.Parser(__doc__)
    parser.add_argument('target', choices=[*paper.TARGETS, 'all'],
                        help='losses drops one term of the loss at a time; recipe adds one part '
                        'of scripts/train_recipe.sh at a time')
    parser.add_argument('--dataset_path', required=True, nargs='+', help='data sets to train on, '
                        'each with train/image and train/mask')
    parser.add_argument('--test_path', nargs='+', help='data sets to test on, each with test/image '
                        'and test/mask; by default the same')
    parser.add_argument('--output_dir', required=True, help='where everything is written')
    parser.add_argument('--image_size', type=cli.positive(int), nargs='+', default=[],
                        help='train every network of the target at these sizes, instead of the '
                        'published ones')
    parser.add_argument('--max_steps', type=cli.positive(int),
                        default=hparams.defaults_of('mmnet')['max_steps'],
                        help='steps of every row; rows of 8 bits train for a third as many more')
    parser.add_argument('--seeds', type=cli.seed, nargs='+', default=[1],
                        help='train every row with each of these')
    parser.add_argument('--rows', nargs='+', default=[], metavar='NAME',
                        help='only these rows, such as MMNet-1.00 or MD16-0.75*')
    parser.add_argument('--validation_fraction', type=cli.fraction,
                        help='choose each row\'s checkpoint on this share of the training photos, '
                        'by gradient error; by default the last one counts')
    parser.add_argument('--no_latency', action='store_true',
                        help='do not measure latencies, for example while other rows train')
    parser.add_argument('--dry_run', action='store_true',
                        help='print the commands, and an estimate of the time from a few steps')
    train_flags: List[str] = []
    if '--' in argv:
        place = argv.index('--')
        argv, train_flags = argv[:place], argv[place + 1:]
    return parser.parse_args(argv), train_flags


def check_output_dir(output_dir: str) -> None:
    """Makes sure that no file of somebody else's is replaced.

    Raises:
        UserError: for a folder with other files in it.
    """
    there = glob.glob(os.path.join(glob.escape(output_dir), 'runs', '*', ''))
    # A run that was killed at its start has an empty folder.
    ours = there and all(not os.listdir(path) or os.path.exists(os.path.join(path, runs.NOTE))
                         for path in there)
    if os.path.isdir(output_dir) and os.listdir(output_dir) and not ours:
        raise UserError(f'--output_dir {output_dir}: holds other files; name another folder')


def wanted_runs(args: argparse.Namespace, targets: List[str], setup: Setup) -> List[Run]:
    """Lists the runs of the targets, those of the first seed first."""
    rows = paper.rows_of(targets, args.image_size, args.rows)
    return runs.with_float_rows([Run(row, seed, setup) for seed in dict.fromkeys(args.seeds)
                                 for row in rows])


def check_flags(wanted: List[Run], setup: Setup) -> None:
    """Finds wrong flags of train.py before any time is spent.

    Raises:
        UserError: for a flag that belongs to this program or does not fit a row.
    """
    own = OWN_FLAGS + (CHOICE_FLAGS if setup.validation_fraction is not None else ())
    for flag in runs.split(setup.train_flags):
        if flag in own:
            raise UserError(f'{flag}: is given to every row by reproduce.py itself; remove it '
                            f'after --')
        for run in wanted:
            # A value, such as the 16 of --batch_size, may also be one of the row's.
            if flag.startswith('--') and flag in run.row.flags:
                raise UserError(f'{flag}: makes the row {run.row.label} what it is; remove it '
                                f'after --, or choose other rows with --rows')
    for run in wanted:
        flags.to_hparams(runs.parsed(run))


def dry_run(wanted: List[Run], unfinished: List[Run]) -> int:
    """Prints the commands of all runs and what is left of the time; returns the exit status."""
    speeds: Dict[paper.Row, float] = {}
    total = 0.0
    rows = list(dict.fromkeys(run.row for run in unfinished if run.trained_steps() < run.steps))
    for row in tqdm(rows, desc='timing a few steps', leave=False, disable=None):
        speeds[row] = runs.time_step(next(run for run in unfinished if run.row == row))
    for run in wanted:
        if run not in unfinished:
            print(f'# {run.name}: finished')
            continue
        if run.row in speeds:
            seconds = speeds[run.row] * (run.steps - run.trained_steps())
            total += seconds
            print(f'# {run.name}: {speeds[run.row]:.2f} s per step, {hours(seconds)}')
        for command in run.commands():
            print('.venv/bin/python ' + ' '.join(map(shlex.quote, command)))
    print(f'# training takes about {hours(total)} on this machine as it is now, one row at a time')
    return 0


def hours(seconds: float) -> str:
    """Formats a time as hours and minutes."""
    minutes = int(round(seconds / 60))
    return f'{minutes // 60} h {minutes % 60:02} min'


def measure_latency(args: argparse.Namespace) -> None:
    """Times a file of each row in turn, unless that was done for the very same files."""
    path = os.path.join(args.output_dir, LATENCY)
    shas = {each: runs.sha256(each) for each in files_to_time(args.output_dir)}
    there = files.read_json(path)
    if isinstance(there, dict) and set(shas.values()) <= set(there.get('files', {})):
        return
    print('== latencies', flush=True)
    report_path = path + '.benchmark'
    runs.execute(ROOT, ['scripts/benchmark_tflite.py', *shas, '--runtimes', *tables.RUNTIMES,
                        '--json', report_path])
    measured: Dict[str, Any] = {}
    for runtime, rows in (files.read_json(report_path) or {}).items():
        for row in rows:
            measured.setdefault(shas[row['file']], {})[runtime] = {
                name: row[name] for name in ('mean', 'standard_deviation', 'median', 'runs')}
    files.write_json({'machine': runs.machine(), 'commit': runs.commit_of(ROOT),
                      'files': measured}, path)
    os.remove(report_path)


def files_to_time(output_dir: str) -> List[str]:
    """Lists the exported file of every row, that of its lowest seed: seeds are equally fast."""
    seeds: Dict[str, Tuple[int, str]] = {}
    for path in glob.glob(os.path.join(glob.escape(output_dir), 'runs', '*', '*.tflite')):
        # Somebody may have copied a directory.
        name = re.fullmatch(r'(.+)_seed(\d+)', os.path.basename(os.path.dirname(path)))
        if name:
            found = (int(name.group(2)), path)
            seeds[name.group(1)] = min(seeds.get(name.group(1), found), found)
    return sorted(path for _, path in seeds.values())


def report(args: argparse.Namespace, targets: List[str], setup: Setup, train_data: Dict[str, Any],
           test_data: Dict[str, Any]) -> Results:
    """Writes results.json and the tables of what is finished so far."""
    latency = files.read_json(os.path.join(args.output_dir, LATENCY)) or {}
    with files.locked(args.output_dir):
        records = all_records(args.output_dir)
        for record in records:
            record['latency'] = latency.get('files', {}).get(record['file']['sha256'])
        files.write_json(records, os.path.join(args.output_dir, 'results.json'))
        comparable = [each for each in records
                      if runs.comparable(each, setup, train_data, test_data)]
        results = Results(comparable, latency.get('files', {}))
        for target in (each for each in targets if each not in FIGURES):
            parts = [f'# {target}\n\n{sizes_of(test_data)}\n']
            for test_set in results.sets() if target != 'table5' else results.sets()[:1]:
                parts.append(f'## {test_set}\n\n{tables.table(target, results, test_set)}')
            path = os.path.join(args.output_dir, target)
            files.write_text('\n'.join(parts), path + '.md')
            files.write_text(tables.to_csv(tables.raw_rows(target, results)), path + '.csv')
        files.write_text('# The paper\'s claims on these photos\n\n' + '\n'.join(
            f'## {test_set}\n\n{tables.claims_table(results, test_set)}'
            for test_set in results.sets()), os.path.join(args.output_dir, 'claims.md'))
    return results


def all_records(output_dir: str) -> List[Dict[str, Any]]:
    """Reads the records of all finished runs, by the names of their directories."""
    folder = os.path.join(output_dir, 'runs')
    found = [files.read_json(os.path.join(folder, name, runs.RESULT))
             for name in sorted(os.listdir(folder))]
    return [record for record in found if record is not None]


def sizes_of(test_data: Dict[str, Any]) -> str:
    """Says what was tested on."""
    return 'Tested on ' + ', '.join(
        f'{name} ({each["pairs"]} photos, {each["fingerprint"]})'
        for name, each in test_data.items()) + '.'


def draw_figure5(args: argparse.Namespace, setup: Setup, tests: Dict[str, List[Pair]],
                 trained: List[paper.Row]) -> None:
    """Draws photos, ground truths, graph cuts and the rows of Figure 5, evenly spread photos."""
    pairs = [pair for found in tests.values() for pair in found]
    chosen = [pairs[index] for index in
              np.linspace(0, len(pairs) - 1, min(PHOTOS, len(pairs))).astype(int)]
    photos = [decode.checked(decode.read_image, pair.image) for pair in chosen]
    columns: List[Any] = [('photo', photos), ('ground truth', [
        decode.checked(decode.read_mask, pair.mask or '') / 255 for pair in chosen])]
    predictors = [('Graph Cut', grabcut.predictor(setup.dataset_paths))]
    for row in (each for each in paper.rows_of(['figure5'], args.image_size) if each in trained):
        run = Run(row, args.seeds[0], setup)
        predictors.append((row.label, inference.load(run.checkpoint_dir, '--output_dir')))
    for title, predictor in predictors:
        columns.append((title, [inference.matte(predictor, photo) for photo in photos]))
    plots.figure5(columns, os.path.join(args.output_dir, 'figure5.png'))


if __name__ == '__main__':
    cli.run(main)
