#!/usr/bin/env python
"""Times .tflite files against one another in old and new runtimes, on one core.

All files run in turn within a runtime, so the ratios hold on a noisy machine. No runtime reports
the time of an operator to Python, so --per_op times each operator in a separate file.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from typing import Any, Callable, Dict, List, Sequence, Tuple

from mmnet import cli

with cli.starting():
    import numpy as np
    from tqdm import tqdm

    from mmnet import environments, files
    from mmnet.errors import UserError

RUNTIMES = {'litert': 'LiteRT, XNNPACK', 'litert_compiled': 'LiteRT, CompiledModel',
            'litert_builtin': 'LiteRT without XNNPACK', 'tensorflow': 'TensorFlow 1.15'}


def make_interpreter(runtime: str, path: str):
    """Makes an interpreter of a runtime, which must be installed in this environment."""
    if runtime == 'tensorflow':
        import tensorflow as tf
        return tf.lite.Interpreter(path)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    resolver = (OpResolverType.AUTO if runtime == 'litert'
                else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    return Interpreter(path, num_threads=1, experimental_op_resolver_type=resolver)


def prepare(runtime: str, path: str) -> Callable[[], None]:
    """Makes a function that runs a file once, on random input."""
    if runtime == 'litert_compiled':
        return prepare_compiled(path)
    interpreter = make_interpreter(runtime, path)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details['index'], random_input(details['shape'], details['dtype']))
    return interpreter.invoke


def prepare_compiled(path: str) -> Callable[[], None]:
    """Does the same with LiteRT's CompiledModel, for a file with one signature."""
    from ai_edge_litert.compiled_model import CompiledModel
    # It has one thread by default.
    model = CompiledModel.from_file(path)
    signature, = model.get_signature_list()
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    for buffer, details in zip(inputs, model.get_input_tensor_details(signature).values()):
        buffer.write(random_input(details['shape'], np.dtype(details['dtype']).type))
    return lambda: model.run_by_index(0, inputs, outputs)


def random_input(shape: Sequence[int], dtype: type) -> np.ndarray:
    """Makes floats in [0, 1), or bytes that every 8-bit type holds."""
    rng = np.random.RandomState(0)
    return (rng.uniform(0, 1, shape) if dtype == np.float32
            else rng.randint(0, 128, shape)).astype(dtype)


def measure(runtime: str, paths: List[str], runs: int, warm_up: int) -> List[List[float]]:
    """Times the files in turn; returns the milliseconds of every run, a list for each file."""
    if hasattr(os, 'sched_setaffinity'):
        # TensorFlow 1.15's interpreter does not take a number of threads.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    calls = [prepare(runtime, path) for path in paths]
    times: List[List[float]] = [[] for _ in calls]
    for run in tqdm(range(warm_up + runs), desc=RUNTIMES[runtime], unit=' rounds', leave=False,
                    disable=None):
        for call, its_times in zip(calls, times):
            start = time.perf_counter()
            call()
            its_times.append(1000 * (time.perf_counter() - start))
    return [its_times[warm_up:] for its_times in times]


def measure_in(runtime: str, paths: List[str], args: Namespace) -> List[List[float]]:
    """Runs `measure` in the environment that has the runtime."""
    python = environments.python_of('tensorflow' if runtime == 'tensorflow' else 'litert')
    # CompiledModel's own reports would bury the bar.
    shown = sys.stderr.isatty() and runtime != 'litert_compiled'
    worker = subprocess.run(
        [python, os.path.abspath(__file__), '--worker', runtime, '--runs', str(args.runs),
         '--warm_up', str(args.warm_up)] + paths,
        stdout=subprocess.PIPE, stderr=None if shown else subprocess.PIPE)
    if worker.returncode:
        if len(paths) > 1:
            # Alone, the file that fails is known by its name.
            for path in paths:
                measure_in(runtime, [path], Namespace(runs=1, warm_up=0))
        lines = (worker.stderr or b'').decode(errors='replace').strip().split('\n')
        reason = (f'it crashes, signal {-worker.returncode}' if worker.returncode < 0
                  else lines[-1] or f'status {worker.returncode}')
        raise UserError(f'{", ".join(paths)}: cannot be run by {RUNTIMES[runtime]}: {reason}')
    return json.loads(worker.stdout.decode().strip().split('\n')[-1])


def summary(path: str, times: List[float]) -> Dict[str, Any]:
    """Computes the figures of Table 5, in milliseconds."""
    return {'file': path, 'bytes': os.path.getsize(path), 'runs': len(times),
            'mean': statistics.mean(times),
            'standard_deviation': statistics.stdev(times) if len(times) > 1 else 0.0,
            'median': statistics.median(times)}


def per_operator(runtime: str, path: str, args: Namespace) -> Dict[str, Tuple[int, float]]:
    """Times every operator alone; returns count and milliseconds by kind."""
    # In LiteRT's environment, where this file runs as a worker, this import would fail.
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
    kinds: Dict[str, Tuple[int, float]] = {}
    for (kind, _), median in zip(parts, medians):
        count, total = kinds.get(kind, (0, 0.0))
        kinds[kind] = count + 1, total + median
    return kinds


def print_table(runtime: str, rows: List[Dict[str, Any]]) -> None:
    width = max(len(row['file']) for row in rows)
    print(f'\n{RUNTIMES[runtime]}\n{"file":{width}}  {"bytes":>9}  {"mean ± std, ms":>16}  '
          f'{"median":>9}  {"÷ first":>8}')
    for row in rows:
        print(f'{row["file"]:{width}}  {row["bytes"]:>9,}  {row["mean"]:>8.2f} ± '
              f'{row["standard_deviation"]:>5.2f}  {row["median"]:>9.2f}  '
              f'{row["median"] / rows[0]["median"]:>8.3f}')
        for kind, (count, milliseconds) in sorted(row.get('operators', {}).items(),
                                                  key=lambda item: -item[1][1]):
            print(f'    {count:>3} {kind:24} {milliseconds:>8.3f} ms alone')
    sys.stdout.flush()


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('files', nargs='+', help='.tflite files; ratios are to the first')
    parser.add_argument('--runtimes', nargs='+', choices=list(RUNTIMES), default=list(RUNTIMES),
                        help='where to run them')
    parser.add_argument('--runs', type=cli.positive(int), default=100, help='counted runs')
    parser.add_argument('--warm_up', type=cli.not_negative(int), default=10,
                        help='runs before them')
    parser.add_argument('--per_op', action='store_true', help='time every operator as well')
    cli.add_json_flag(parser)
    parser.add_argument('--worker', choices=list(RUNTIMES), help='for this script\'s own use')
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(measure(args.worker, args.files, args.runs, args.warm_up)))
        return 0
    for path in args.files:
        if not os.path.isfile(path):
            raise UserError(f'{path}: no such file')
    if args.per_op:
        # LiteRT's environment has no TFLite schema to cut files with.
        environments.enter('tensorflow')
    report: Dict[str, List[Dict[str, Any]]] = {}
    for runtime in args.runtimes:
        report[runtime] = [summary(path, times) for path, times in
                           zip(args.files, measure_in(runtime, args.files, args))]
        if args.per_op:
            for row in report[runtime]:
                row['operators'] = per_operator(runtime, row['file'], args)
        print_table(runtime, report[runtime])
    if args.json:
        files.write_json(report, args.json)
    return 0


if __name__ == '__main__':
    cli.run(main)
