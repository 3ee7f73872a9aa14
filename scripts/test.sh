#!/usr/bin/env bash
# Sets up what the tests need and runs linters and tests; arguments go to pytest.
set -euo pipefail
if [ "${1:-}" = --help ]; then sed -n '2s/^# *//p' "$0"; exit 0; fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh --dev --litert
export PATH="$PWD/.venv/bin:$PATH"
flake8
# Two at a time: most of a test's time goes into building graphs, which uses one core.
exec python -m pytest --numprocesses 2 --dist loadgroup "$@"
