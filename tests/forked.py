"""Runs entry points in forks of a process that has imported TensorFlow already.

Each is still a process of its own, and runs the script from its first line. It only starts three
seconds earlier, and the tests start hundreds.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
import tempfile

from mmnet import cli

with cli.starting():
    # What entry points import.
    from mmnet import checkpoint_evaluation, flags, training, watching  # noqa: F401
    from mmnet.tflite import export  # noqa: F401

# It imports this module, and forks for each process.
_context = multiprocessing.get_context('forkserver')
_context.set_forkserver_preload([__name__])


def run(script, args, seconds=None):
    """Runs a script to its end.

    Args:
        script: its path.
        args: its arguments, strings.
        seconds: after which it is killed; by default never.

    Returns:
        exit status (negative: the signal that ended it), standard output and standard error.
    """
    with tempfile.TemporaryDirectory() as scratch:
        paths = [os.path.join(scratch, name) for name in ('out', 'err')]
        process = _context.Process(target=_run, args=(script, args, paths))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        texts = []
        for path in paths:
            with open(path, errors='replace') as file:
                texts.append(file.read())
        return (process.exitcode, *texts)


def _run(script, args, paths):
    for number, path in enumerate(paths, start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    # As in a program that a shell starts.
    multiprocessing.set_start_method('fork', force=True)
    sys.argv = [script, *args]
    sys.path[0] = os.path.dirname(script)
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as leaving:
        # Python 3.7's multiprocessing takes no status for a failure.
        sys.exit(leaving.code or 0)
    finally:
        # A process of multiprocessing leaves these out.
        atexit._run_exitfuncs()
