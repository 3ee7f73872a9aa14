#!/usr/bin/env bash
# Sets up what the tests need, then runs linters, mypy and pytest:
#   scripts/test.sh [--fast] [PYTEST_ARGUMENT…]
# --fast leaves out the tests marked slow; every module is still covered. The browser's tests need
# npm, and those of several workers what scripts/setup.sh --horovod builds; without, they are skipped.
set -euo pipefail
if [ "${1:-}" = --help ]; then sed -n '2,5s/^# *//p' "$0"; exit 0; fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${1:-}" = --fast ]; then
    shift
    set -- -m 'not slow' "$@"
fi
flags=(--plots --dev --litert --mediapipe)
if command -v npm >/dev/null; then flags+=(--demo); fi
scripts/setup.sh "${flags[@]}"
export PATH="$PWD/.venv/bin:$PATH"
flake8
mypy
# Two at a time: most of a test's time goes into building graphs, which uses one core.
exec python -m pytest --numprocesses 2 --dist loadgroup "$@"
