#!/usr/bin/env bash
# Makes .venv, with Python 3.7 and the pinned packages; does nothing where it is up to date.
#   scripts/setup.sh [--gpu] [--dev] [--litert]
# --gpu installs TensorFlow's GPU build, --dev adds what the tests need. --litert makes .venv-litert
# as well, with LiteRT, today's runtime of exported files, on Python 3.10 or later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup.sh: $*" >&2; }
fail() { say "error: $*"; exit 1; }

kind=cpu
dev=
litert=
for flag in "$@"; do
    case "$flag" in
        --gpu) kind=gpu ;;
        --dev) dev=yes ;;
        --litert) litert=yes ;;
        -h | --help) sed -n '2,5s/^# *//p' "$0"; exit 0 ;;
        *) fail "unknown flag $flag; --gpu, --dev and --litert are known" ;;
    esac
done
# A GPU environment stays one when a script makes sure that there is an environment.
[ -e .venv/gpu ] && kind=gpu

is_37() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 7))' 2>/dev/null; }
# LiteRT's wheels are for these.
is_new() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3.7 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.7.*/bin/python \
        {"${CONDA_PREFIX:-/nonexistent}","$HOME"/*conda3,/opt/conda}{/envs/*,}/bin/python3.7; do
        if is_37 "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    if command -v conda >/dev/null; then
        say "no Python 3.7 found; making one with conda in .conda37"
        conda create --quiet --yes --prefix "$PWD/.conda37" python=3.7 >&2
        echo "$PWD/.conda37/bin/python3.7"
    elif command -v uv >/dev/null; then
        say "no Python 3.7 found; installing one with uv"
        uv python install 3.7 >&2
        uv python find 3.7
    fi
}

find_new_python() {
    local candidate
    for candidate in python3.{11,12,13,10} python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-3].*/bin/python; do
        if is_new "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    if command -v uv >/dev/null; then
        say "no Python 3.10 to 3.13 found; installing one with uv"
        uv python install 3.11 >&2
        uv python find 3.11
    fi
}

make_litert() {
    local stamp=.venv-litert/installed python wanted
    wanted=$(cksum <requirements/py311-litert.txt)
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    if [ ! -x .venv-litert/bin/python ] || ! is_new .venv-litert/bin/python; then
        python=$(find_new_python)
        [ -n "$python" ] || fail "no Python 3.10 to 3.13 found on PATH or in pyenv, and no uv to" \
            "install one; install uv (pip install uv) or such a Python and run this again"
        say "making .venv-litert with $python"
        "$python" -m venv --clear .venv-litert
    fi
    say "installing requirements/py311-litert.txt into .venv-litert"
    .venv-litert/bin/python -m pip install --quiet --disable-pip-version-check \
        -r requirements/py311-litert.txt
    echo "$wanted" >"$stamp"
    say "ready: .venv-litert/bin/python ($(.venv-litert/bin/python --version)), LiteRT"
}

# The scripts of a training and of its evaluation may be started at the same moment.
exec 9>.setup.lock
if command -v flock >/dev/null; then flock 9; fi

if [ -n "$litert" ]; then make_litert; fi

requirements=(-r "requirements/py37-$kind.txt")
stamp=.venv/installed
wanted=$(cat requirements/py37-base.txt "requirements/py37-$kind.txt" | cksum)
if [ -n "$dev" ] || [ -e .venv/dev ]; then
    requirements+=(-r requirements/py37-dev.txt)
    wanted+=$(cksum <requirements/py37-dev.txt)
fi
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

if [ ! -x .venv/bin/python ] || ! is_37 .venv/bin/python; then
    python=$(find_python)
    [ -n "$python" ] || fail "no Python 3.7 found on PATH, in pyenv or conda, and no uv to install" \
        "one; install uv (pip install uv) or Python 3.7 and run this again"
    say "making .venv with $python"
    "$python" -m venv --clear .venv
fi
say "installing ${requirements[*]} into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade \
    'pip==24.0' 'setuptools==68.0.0' 'wheel==0.42.0'
.venv/bin/python -m pip install --quiet --disable-pip-version-check "${requirements[@]}"
if [ "$kind" = gpu ]; then touch .venv/gpu; fi
if [ -n "$dev" ]; then touch .venv/dev; fi
echo "$wanted" >"$stamp"
say "ready: .venv/bin/python ($(.venv/bin/python --version)), TensorFlow for $kind"
