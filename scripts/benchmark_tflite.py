#!/usr/bin/env python
"""Times .tflite files against one another in old and new runtimes, on one core.

All files run in turn within a runtime, so that the ratios hold on a noisy machine. Neither runtime
tells Python the time of an operator: --per_op times each operator in a file of its own.
"""

import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from mmnet import files as small_files, flags  # noqa: E402  (needs the path above)
from mmnet.errors import UserError  # noqa: E402

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

RUNTIMES = collections.OrderedDict([
    ('litert', 'LiteRT, XNNPACK'), ('litert_builtin', 'LiteRT without XNNPACK'),
    ('tensorflow', 'TensorFlow 1.15')])
PYTHONS = {'litert': '.venv-litert', 'litert_builtin': '.venv-litert', 'tensorflow': '.venv'}


def make_interpreter(runtime, path):
    """An interpreter of a runtime, which is known to be installed here."""
    if runtime == 'tensorflow':
        import tensorflow as tf
        return tf.lite.Interpreter(path)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    resolver = (OpResolverType.AUTO if runtime == 'litert'
                else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return Interpreter(path, num_threads=1, experimental_op_resolver_type=resolver)


def prepare(runtime, path):
    """A function that runs a file once, with random input set."""
    interpreter = make_interpreter(runtime, path)
    interpreter.allocate_tensors()
    rng = np.random.RandomState(0)
    for details in interpreter.get_input_details():
        shape, dtype = details['shape'], details['dtype']
        numbers = rng.uniform(0, 1, shape) if dtype == np.float32 else rng.randint(0, 128, shape)
        interpreter.set_tensor(details['index'], numbers.astype(dtype))
    return interpreter.invoke


def measure(runtime, paths, runs, warm_up):
    """Milliseconds of every run, a list a file; all files in turn."""
    if hasattr(os, 'sched_setaffinity'):
        # TensorFlow 1.15's interpreter cannot be told its number of threads.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    calls = [prepare(runtime, path) for path in paths]
    times = [[] for _ in calls]
    for run in tqdm(range(warm_up + runs), desc=RUNTIMES[runtime], unit=' rounds', leave=False,
                    disable=not sys.stderr.isatty()):
        for call, its_times in zip(calls, times):
            start = time.perf_counter()
            call()
            its_times.append(1000 * (time.perf_counter() - start))
    return [its_times[warm_up:] for its_times in times]


def measure_in(runtime, paths, args):
    """`measure` in the Python that has the runtime."""
    python = os.path.join(ROOT, PYTHONS[runtime], 'bin', 'python')
    if not os.path.exists(os.path.join(ROOT, PYTHONS[runtime], 'installed')):
        raise UserError(f'{python}: not found; run scripts/setup.sh --litert once')
    worker = subprocess.run(
        [python, os.path.abspath(__file__), '--worker', runtime, '--runs', str(args.runs),
         '--warm_up', str(args.warm_up)] + paths,
        stdout=subprocess.PIPE, stderr=None if sys.stderr.isatty() else subprocess.PIPE)
    if worker.returncode:
        message = (worker.stderr or b'').decode(errors='replace').strip().split('\n')[-1]
        raise UserError(f'{RUNTIMES[runtime]} cannot run one of the files: {message}')
    return json.loads(worker.stdout.decode().strip().split('\n')[-1])


def summary(path, times):
    """The figures of Table 5, in milliseconds."""
    return collections.OrderedDict([
        ('file', path), ('bytes', os.path.getsize(path)), ('runs', len(times)),
        ('mean', statistics.mean(times)),
        ('standard_deviation', statistics.stdev(times) if len(times) > 1 else 0.0),
        ('median', statistics.median(times))])


def per_operator(runtime, path, args):
    """Milliseconds of every operator alone, by kind."""
    from mmnet.tflite.flatbuffer import single_operators
    with open(path, 'rb') as file:
        parts = single_operators(file.read())
    with tempfile.TemporaryDirectory() as scratch:
        paths = []
        for index, (_, content) in enumerate(parts):
            paths.append(os.path.join(scratch, f'{index}.tflite'))
            with open(paths[-1], 'wb') as file:
                file.write(content)
        medians = [statistics.median(times) for times in measure_in(runtime, paths, args)]
    kinds = collections.OrderedDict()
    for (kind, _), median in zip(parts, medians):
        count, total = kinds.get(kind, (0, 0.0))
        kinds[kind] = count + 1, total + median
    return kinds


def print_table(runtime, rows):
    width = max(len(row['file']) for row in rows)
    print('\n{}\n{:{}}  {:>9}  {:>16}  {:>9}  {:>8}'.format(
        RUNTIMES[runtime], 'file', width, 'bytes', 'mean ± std, ms', 'median', '÷ first'))
    for row in rows:
        print('{:{}}  {:>9,}  {:>8.2f} ± {:>5.2f}  {:>9.2f}  {:>8.3f}'.format(
            row['file'], width, row['bytes'], row['mean'], row['standard_deviation'],
            row['median'], row['median'] / rows[0]['median']))
        for kind, (count, milliseconds) in sorted(row.get('operators', {}).items(),
                                                  key=lambda item: -item[1][1]):
            print(f'    {count:>3} {kind:24} {milliseconds:>8.3f} ms alone')
    sys.stdout.flush()


def main():
    parser = flags.Parser(__doc__.split('\n')[0])
    parser.add_argument('files', nargs='+', help='.tflite files; ratios are to the first')
    parser.add_argument('--runtimes', nargs='+', choices=list(RUNTIMES), default=list(RUNTIMES),
                        help='where to run them')
    parser.add_argument('--runs', type=flags.positive(int), default=100, help='counted runs')
    parser.add_argument('--warm_up', type=flags.not_negative(int), default=10,
                        help='runs before them')
    parser.add_argument('--per_op', action='store_true', help='time every operator as well')
    parser.add_argument('--json', help='file for the figures; replaced if it is there')
    parser.add_argument('--worker', choices=list(RUNTIMES), help='for this script\'s own use')
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(measure(args.worker, args.files, args.runs, args.warm_up)))
        return 0
    for path in args.files:
        if not os.path.isfile(path):
            raise UserError(f'{path}: no such file')
    report = collections.OrderedDict()
    for runtime in args.runtimes:
        report[runtime] = [summary(path, times) for path, times in
                           zip(args.files, measure_in(runtime, args.files, args))]
        if args.per_op:
            for row in report[runtime]:
                row['operators'] = per_operator(runtime, row['file'], args)
        print_table(runtime, report[runtime])
    if args.json:
        small_files.write_json(report, args.json)
    return 0


if __name__ == '__main__':
    flags.run(main)
