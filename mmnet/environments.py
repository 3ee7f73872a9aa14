"""The two environments of a clone, and how a program gets into the one that it needs.

Training needs TensorFlow 1.15, so Python 3.7 (`.venv`). Exported files run in LiteRT, on Python
3.10 or later, without TensorFlow (`.venv-litert`).
"""

import os
import sys

from mmnet.errors import UserError
from mmnet.runtime import PACKAGES, installed

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
