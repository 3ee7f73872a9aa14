"""The two environments of a clone, and how a program gets into the one that it needs.

Training needs TensorFlow 1.15, so Python 3.7 (`.venv`). Exported files run in LiteRT, on Python
3.10 or later, without TensorFlow (`.venv-litert`).
"""

import os
import sys
from typing import Optional, Sequence

from mmnet.cli import RUNTIME
from mmnet.errors import UserError
from mmnet.runtime import PACKAGES, installed, is_exported_file

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# By the package that a runtime is in.
FOLDERS = {'ai_edge_litert': '.venv-litert', 'tensorflow': '.venv'}
COMMANDS = {'ai_edge_litert': 'scripts/setup.sh --litert-only', 'tensorflow': 'scripts/setup.sh'}
# Set where a program has changed its environment once; it does not do so again.
ENTERED = 'MMNET_ENVIRONMENT'


def is_set_up(runtime: str) -> bool:
    """Returns whether the environment that has a runtime was made."""
    return os.path.exists(os.path.join(ROOT, FOLDERS[PACKAGES[runtime]], 'installed'))


def python_of(runtime: str) -> str:
    """Returns the interpreter of the environment that has a runtime.

    Raises:
        UserError: if the environment is not set up.
    """
    package = PACKAGES[runtime]
    folder = os.path.join(ROOT, FOLDERS[package])
    if not is_set_up(runtime):
        raise UserError(f'{package}: is not installed here, and {folder} is not set up; run '
                        f'{COMMANDS[package]} once')
    return os.path.join(folder, 'bin', 'python')


def enter(runtime: str) -> str:
    """Starts this program again in the environment that has a runtime, unless it runs in it.

    Without LiteRT's environment, TensorFlow's slower interpreter takes over if it is here.

    Args:
        runtime: a key of `runtime.PACKAGES`.

    Returns:
        the runtime to use.

    Raises:
        UserError: if the environment is not set up.
    """
    if installed(runtime):
        return runtime
    package = PACKAGES[runtime]
    if runtime == 'litert' and installed('tensorflow') and not is_set_up(runtime):
        print('LiteRT is not set up; using TensorFlow\'s interpreter, which is slower '
              f'({COMMANDS[package]} sets it up)', file=sys.stderr)
        return 'tensorflow'
    if os.environ.get(ENTERED) == package:
        raise UserError(f'{package}: is missing in {FOLDERS[package]}; delete that folder and run '
                        f'{COMMANDS[package]}')
    python = python_of(runtime)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(python, [python, *sys.argv], {**os.environ, ENTERED: package})
    raise AssertionError('execve does not return')


def enter_for(paths: Sequence[str], runtime: Optional[str], flag: str = '--model') -> str:
    """Enters the environment that networks need; checkpoints need TensorFlow's.

    Args:
        paths: of the networks.
        runtime: wanted for exported files, a key of `runtime.PACKAGES`; None takes LiteRT.
        flag: the flag that the paths came with, for messages.

    Returns:
        the runtime to load them with.

    Raises:
        UserError: if the network does not exist, or if the environment is not set up or lacks
            the wanted runtime.
    """
    checkpoint = next((path for path in paths if not is_exported_file(path)), None)
    if checkpoint is None:
        return enter(runtime or RUNTIME)
    if not any(os.path.exists(checkpoint + ending) for ending in ('', '.index', '.meta')):
        raise UserError(f'{flag} {checkpoint}: no such file, train directory or checkpoint; '
                        f'train.py and export_tflite.py write them')
    if runtime not in (None, 'tensorflow'):
        raise UserError(f'--runtime {runtime}: runs exported files, and {checkpoint} is a '
                        f'checkpoint, which needs TensorFlow; leave --runtime out')
    return enter('tensorflow')
