"""Trains, evaluates and exports the rows of a table, each in a directory of its own.

Runs are resumable, and finished ones are skipped. `result.json` in its directory is a run's record.
"""

import argparse
import dataclasses
import hashlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import tensorflow as tf

from mmnet import checkpoints, cli, files, flags, pretrained, scores
from mmnet.errors import UserError
from mmnet.records import VALIDATION
from mmnet.reproduction.paper import Row, make_row

# A run's settings, its data, and its duration so far.
NOTE = 'run.json'
# A run's record.
RESULT = 'result.json'
# An 8-bit row fine-tunes its float row for max_steps divided by this, at the paper's rate.
QUANTIZED_DIVISOR = 3
QUANTIZED_FLAGS = ('--quantize', '--learning_rate', '1e-4', '--learning_rate_decay', '1')
# Checkpoints to choose the best one from, where photos are held out for that.
CHOICES = 10
# Steps that a dry run takes to estimate the time: the first of them includes start-up.
TIMED_STEPS = 10
NOTED_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all runs of a reproduction share.

    Attributes:
        root: of the repository, which holds the programs.
        output_dir: where everything is written.
        dataset_paths: data sets to train on.
        test_paths: data sets to test on.
        max_steps: of every float row.
        train_flags: further flags of train.py, the same for all rows.
        validation_fraction: share of the training photos that choose the checkpoint; None takes
            the last one.
    """
    root: str
    output_dir: str
    dataset_paths: Tuple[str, ...]
    test_paths: Tuple[str, ...]
    max_steps: int
    train_flags: Tuple[str, ...] = ()
    validation_fraction: Optional[float] = None


@dataclasses.dataclass(frozen=True)
class Run:
    """A row that is trained with a seed."""
    row: Row
    seed: int
    setup: Setup

    @property
    def directory(self) -> str:
        """The train directory, such as `OUT/runs/mmnet-1.00_128_seed1`."""
        name = self.row.name.lower().replace(' ', '_')
        return os.path.join(self.setup.output_dir, 'runs',
                            f'{name}_{self.row.image_size}_seed{self.seed}')

    @property
    def name(self) -> str:
        """The run in words, such as `MMNet-1.00*, seed 1`."""
        return f'{self.row.label}, seed {self.seed}'

    @property
    def steps(self) -> int:
        """The steps to train; rows of 8 bits take a third of `max_steps`."""
        steps = self.setup.max_steps
        return max(1, steps // QUANTIZED_DIVISOR) if self.row.float_row else steps

    @property
    def precision(self) -> str:
        """The precision of the exported file."""
        return 'int8' if self.row.float_row else 'float32'

    @property
    def exported(self) -> str:
        """The path of the exported file."""
        return os.path.join(self.directory, f'{self.precision}.tflite')

    @property
    def checkpoint_dir(self) -> str:
        """The directory of the checkpoint that counts: the run's own, or its `best`."""
        if self.setup.validation_fraction is None:
            return self.directory
        return os.path.join(self.directory, checkpoints.BEST)

    def float_run(self) -> Optional['Run']:
        """Returns the run that a row of 8 bits starts from."""
        if self.row.float_row is None:
            return None
        return Run(make_row(self.row.float_row, self.row.image_size), self.seed, self.setup)

    def train_flags(self) -> List[str]:
        """Returns the flags of train.py."""
        given = [*self.row.flags, '--image_size', str(self.row.image_size),
                 '--dataset_path', *self.setup.dataset_paths, '--train_dir', self.directory,
                 '--seed', str(self.seed), '--max_steps', str(self.steps),
                 *self.setup.train_flags]
        if self.setup.validation_fraction is not None:
            given += ['--validation_fraction', str(self.setup.validation_fraction),
                      '--save_checkpoints_steps', str(max(1, self.steps // CHOICES)),
                      '--keep_checkpoint_max', str(CHOICES + 2)]
        float_run = self.float_run()
        if float_run:
            given += [*QUANTIZED_FLAGS, '--init_checkpoint', float_run.checkpoint_dir]
        return given

    def commands(self) -> List[List[str]]:
        """Returns the commands of the run in their order, without the interpreter."""
        test = ['--dataset_path', *self.setup.test_paths, '--metrics', 'all']
        found = [['train.py', *self.train_flags()]]
        if self.setup.validation_fraction is not None:
            found.append(['evaluate.py', '--dataset_path', *self.setup.dataset_paths,
                          '--checkpoint_path', self.directory, '--validation', '--watch',
                          '--max_steps', str(self.steps)])
        found += [['evaluate.py', *test, '--checkpoint_path', self.checkpoint_dir, '--json',
                   self.scores_path('graph')],
                  ['export_tflite.py', '--checkpoint_path', self.checkpoint_dir, '--precision',
                   self.precision, '--output', self.exported, '--force']]
        if self.row.float_row:
            found.append(['evaluate.py', *test, '--tflite_path', self.exported, '--json',
                          self.scores_path('file')])
        return found

    def scores_path(self, measured: str) -> str:
        """Returns where the test scores of the `graph` or the exported `file` are written."""
        return os.path.join(self.directory, f'test_{measured}.json')

    def trained_steps(self) -> int:
        """Returns the step of the latest checkpoint; 0 if there is none."""
        found = checkpoints.listed(self.directory)
        return checkpoints.step_of(found[-1]) if found else 0

    def made_with(self) -> Dict[str, Any]:
        """Returns what the weights depend on besides the data.

        These are the flags, except paths and steps. An 8-bit row adds the steps of its float row.
        """
        given = self.train_flags()
        place = given.index('--dataset_path')
        del given[place:place + 1 + len(self.setup.dataset_paths)]
        float_run = self.float_run()
        return {'flags': without_places(given),
                **({'float_steps': float_run.steps} if float_run else {})}

    def finished(self, test_data: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
        """Returns the record of a run that is done and was tested on the same photos."""
        record = files.read_json(os.path.join(self.directory, RESULT))
        if isinstance(record, dict) and record.get('steps') == self.steps and \
                record.get('test_data') == test_data and os.path.exists(self.exported):
            return record
        return None


def comparable(record: Mapping[str, Any], setup: Setup, train_data: Mapping[str, Any],
               test_data: Mapping[str, Any]) -> bool:
    """Returns whether a record is of a run with the same steps, data and flags."""
    run = Run(make_row(record['row'], record['image_size']), record['seed'], setup)
    wanted = run.made_with()
    float_steps = wanted.get('float_steps')
    return (record['steps'] == run.steps and
            # Older records lack it.
            (record.get('float_steps') or float_steps) == float_steps and
            without_places(record['flags']) == wanted['flags'] and
            same_data(record['train_data'], train_data, wanted['flags']) and
            record['test_data'] == test_data)


def same_data(one: Mapping[str, Any], other: Mapping[str, Any], given: Sequence[str]) -> bool:
    """Returns whether data sets are the same, and in the same order if they have weights."""
    if '--dataset_weights' in given:
        return list(one.items()) == list(other.items())
    return one == other


def without_places(given: Sequence[str]) -> List[str]:
    """Removes the flags that do not change the weights of a step, such as paths, with their values.

    `--init_checkpoint pretrained:NAME` stays, because the start does change them.
    """
    kept = split(given)
    for name in ('--train_dir', '--max_steps', '--init_checkpoint', '--save_checkpoints_steps',
                 '--keep_checkpoint_max', '--save_summary_steps', '--cache_dir'):
        places = [place for place, each in enumerate(kept) if each == name and
                  not kept[place + 1].startswith(pretrained.PREFIX)]
        for place in reversed(places):
            del kept[place:place + 2]
    return kept


def split(given: Sequence[str]) -> List[str]:
    """Splits each `--flag=value` into its two parts."""
    return [part for each in given
            for part in (each.split('=', 1) if each.startswith('--') else [each])]


def with_float_rows(runs: Sequence[Run]) -> List[Run]:
    """Adds the runs that rows of 8 bits start from, each before the first that needs it."""
    ordered: List[Run] = []
    for run in runs:
        ordered += [each for each in (run.float_run(), run) if each and each not in ordered]
    return ordered


def check(run: Run, train_data: Mapping[str, Any]) -> None:
    """Makes sure that a run's directory holds that run and nothing else.

    Raises:
        UserError: names what differs.
    """
    note = files.read_json(os.path.join(run.directory, NOTE))
    if note is None:
        if os.path.isdir(run.directory) and os.listdir(run.directory):
            raise UserError(f'{run.directory}: holds other files; choose another --output_dir')
        return
    wanted = {**run.made_with(), 'train_data': dict(train_data)}
    # Older notes lack the float steps and hold more flags.
    note = {'float_steps': wanted.get('float_steps'), **note,
            'flags': without_places(note.get('flags', []))}
    for name, value in wanted.items():
        same = (same_data(note.get(name) or {}, value, wanted['flags']) if name == 'train_data'
                else note.get(name) == value)
        if not same:
            raise UserError(f'{run.directory}: was made with other {name.replace("_", " ")} '
                            f'({note.get(name)}, now {value}); choose another --output_dir')
    if run.trained_steps() > run.steps:
        raise UserError(f'{run.directory}: is at step {run.trained_steps()} already; raise '
                        f'--max_steps or choose another --output_dir')


def carry_out(run: Run, train_data: Mapping[str, Any], test_data: Mapping[str, Any]) -> None:
    """Trains, evaluates and exports a run, from where it was left; writes its record.

    Raises:
        UserError: if one of the commands fails.
    """
    files.make_directory(run.directory)
    path = os.path.join(run.directory, NOTE)
    note = files.read_json(path) or {**run.made_with(), 'train_data': dict(train_data),
                                     'seconds': 0.0, 'commits': []}
    train, *others = run.commands()
    if run.trained_steps() < run.steps:
        commit = commit_of(run.setup.root)
        note['commits'] = [*(each for each in note['commits'] if each != commit), commit]
        before = note['seconds']

        def write_note(seconds: float) -> None:
            note['seconds'] = before + seconds
            files.write_json(note, path)
        # If the machine stops now, the directory is known as this run's.
        write_note(0)
        execute(run.setup.root, train, write_note)
    for command in others:
        execute(run.setup.root, command)
    record = make_record(run, note, test_data)
    files.write_json(record, os.path.join(run.directory, RESULT))


def make_record(run: Run, note: Mapping[str, Any], test_data: Mapping[str, Any]) -> Dict[str, Any]:
    """Collects what came of a run; `results.json` holds one of these for each run."""
    metrics = read_scores(run.scores_path('graph'))
    if run.setup.validation_fraction is not None:
        best = files.read_json(os.path.join(run.checkpoint_dir, checkpoints.SCORES)) or {}
        if best.get('split') != VALIDATION:
            raise UserError(f'{run.checkpoint_dir}: was chosen on the {best.get("split")} photos, '
                            f'not on those held out; move it and eval_{VALIDATION}.jsonl away, and '
                            f'the same command chooses anew')
    record = {
        'row': run.row.label, 'seed': run.seed, 'image_size': run.row.image_size,
        'steps': run.steps, 'seconds': round(note['seconds'], 1), 'commits': note['commits'],
        'flags': note['flags'], 'float_steps': note.get('float_steps'),
        'train_data': note['train_data'], 'test_data': dict(test_data),
        'checkpoint': ('the last one' if run.setup.validation_fraction is None else
                       'the best on photos held out of training'),
        'parameters': metrics.get('parameters'), 'metrics': metrics,
        'conventions': scores.conventions(metrics),
        'file': {'precision': run.precision, 'bytes': os.path.getsize(run.exported),
                 'sha256': sha256(run.exported)},
        'machine': machine()}
    if run.row.float_row:
        record['metrics_of_file'] = read_scores(run.scores_path('file'))
    return record


def read_scores(path: str) -> Dict[str, Any]:
    """Reads what evaluate.py measured, without the conventions: a record states them once."""
    found = files.read_json(path) or {}
    found.pop('conventions', None)
    return found


def execute(root: str, command: Sequence[str],
            every: Optional[Callable[[float], None]] = None) -> None:
    """Runs a program of the repository to its end.

    Args:
        root: of the repository.
        command: program and flags.
        every: is called with the seconds so far, now and then and at the end.

    Raises:
        UserError: if the program fails.
        KeyboardInterrupt: if Ctrl-C ended it.
    """
    start = time.time()
    process = subprocess.Popen([sys.executable, os.path.join(root, command[0]), *command[1:]])
    try:
        while process.poll() is None:
            try:
                process.wait(NOTED_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            if every:
                every(time.time() - start)
    except KeyboardInterrupt:
        # Ctrl-C has reached the program, too; it saves a checkpoint.
        process.wait()
        raise
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        if every:
            every(time.time() - start)
    if process.returncode == cli.INTERRUPTED:
        raise KeyboardInterrupt
    if process.returncode:
        raise UserError(f'{command[0]}: failed, see above; the same command resumes from here')


def time_step(run: Run) -> float:
    """Measures the seconds of a training step of a run; takes a few in a directory of its own.

    Raises:
        UserError: if training fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        given = run.train_flags()
        if run.row.float_row:
            del given[given.index('--init_checkpoint'):]
            given += ['--quant_delay', '1']
        given += ['--train_dir', scratch, '--max_steps', str(TIMED_STEPS), '--warm_up_steps', '0',
                  '--save_summary_steps', str(TIMED_STEPS)]
        process = subprocess.run(
            [sys.executable, os.path.join(run.setup.root, 'train.py'), *given],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    speed = re.search(rf'step {TIMED_STEPS}/.* ([\d.]+) images/s', process.stdout)
    if process.returncode or not speed:
        raise UserError(f'train.py: failed for {run.name}: '
                        f'{(process.stderr.strip() or "no speed").splitlines()[-1]}')
    batch = flags.to_hparams(parsed(run)).training.batch_size
    return batch / max(float(speed.group(1)), 0.05)


def parsed(run: Run) -> argparse.Namespace:
    """Parses a run's flags as train.py will.

    Raises:
        SystemExit: for a flag that train.py does not know.
    """
    return flags.train_parser().parse_args(run.train_flags())


def sha256(path: str) -> str:
    """Hashes a file."""
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def commit_of(root: str) -> str:
    """Returns the commit of a clone, marked if files differ from it; `unknown` elsewhere."""
    def git(*command: str) -> str:
        return subprocess.run(['git', '-C', root, *command], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True,
                              universal_newlines=True).stdout.strip()
    try:
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', 'HEAD') + (' with changes' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def machine() -> Dict[str, Any]:
    """Describes this machine: processor, the extensions that matter, cores, TensorFlow."""
    found: Dict[str, str] = {}
    try:
        with open('/proc/cpuinfo') as file:
            for line in file:
                name, _, value = line.partition(':')
                found.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    known = ('avx2', 'avx512f', 'avx512_vnni', 'avx_vnni')
    return {'processor': found.get('model name') or platform.processor(),
            'family': found.get('cpu family'), 'model': found.get('model'),
            'extensions': [name for name in known if name in found.get('flags', '').split()],
            'cores': os.cpu_count(), 'tensorflow': tf.__version__,
            'gpus': len(tf.config.experimental.list_physical_devices('GPU'))}
