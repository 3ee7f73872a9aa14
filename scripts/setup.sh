#!/usr/bin/env bash
# Makes .venv with Python 3.7, the pinned packages and mmnet itself; does nothing if it is up to date.
#   scripts/setup.sh [--gpu] [--plots] [--dev] [--horovod] [--mediapipe] [--demo]
#                    [--litert | --litert-only]
# --gpu installs TensorFlow's GPU build, --plots adds matplotlib for the paper's figures, --dev adds
# what the tests need. --litert also makes .venv-litert with LiteRT, today's runtime of exported
# files, on Python 3.10 to 3.13; --litert-only makes nothing else. --mediapipe makes .venv-mediapipe
# with MediaPipe, to try files in it. --demo fetches LiteRT.js for scripts/demo.py with npm. With
# --dev, it also fetches a browser for the page's test. --horovod builds Horovod, for training with
# several workers. The build needs a C++ compiler, CMake and about ten minutes, once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup.sh: $*" >&2; }
fail() { say "error: $*"; exit 1; }

kind=cpu
plots=
dev=
litert=
mediapipe=
demo=
horovod=
for flag in "$@"; do
    case "$flag" in
        --gpu) kind=gpu ;;
        --plots) plots=yes ;;
        --dev) dev=yes ;;
        --mediapipe) mediapipe=yes ;;
        --demo) demo=yes ;;
        --horovod) horovod=yes ;;
        --litert) litert=too ;;
        --litert-only) litert=only ;;
        -h | --help) sed -n '2,11s/^# *//p' "$0"; exit 0 ;;
        *) fail "unknown flag $flag; choose from --gpu, --plots, --dev, --horovod, --mediapipe," \
            "--demo, --litert and --litert-only" ;;
    esac
done
# A GPU environment stays one when another script calls this one without --gpu.
[ -e .venv/gpu ] && kind=gpu

is_37() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 7))' 2>/dev/null; }
# An environment whose making was interrupted may have Python and no pip.
has_pip() { "$1" -m pip --version >/dev/null 2>&1; }
# Debian's Python makes no environments without the package python3-venv.
has_venv() { "$1" -c 'import ensurepip' 2>/dev/null; }
# LiteRT has wheels for these versions.
is_new() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3.7 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.7.*/bin/python \
        {"${CONDA_PREFIX:-/nonexistent}","$HOME"/*conda3,/opt/conda}{/envs/*,}/bin/python3.7; do
        if is_37 "$candidate" && has_venv "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    if command -v conda >/dev/null; then
        say "no Python 3.7 with venv found; making one with conda in .conda37"
        conda create --quiet --yes --prefix "$PWD/.conda37" python=3.7 >&2
        echo "$PWD/.conda37/bin/python3.7"
    elif command -v uv >/dev/null; then
        say "no Python 3.7 with venv found; installing one with uv"
        uv python install 3.7 >&2
        uv python find 3.7
    fi
}

find_new_python() {
    local candidate
    for candidate in python3.{11,12,13,10} python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-3].*/bin/python; do
        if is_new "$candidate" && has_venv "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    if command -v uv >/dev/null; then
        say "no Python 3.10 to 3.13 with venv found; installing one with uv"
        uv python install 3.11 >&2
        uv python find 3.11
    fi
}

# An environment is up to date if it was made here with these files: install ENVIRONMENT FILE…
wanted_stamp() { echo "$PWD $(cat pyproject.toml "$@" | cksum)"; }
install_into() {
    local environment=$1 arguments=() file
    shift
    # An environment that is half made must not count as any commit's.
    rm -f "$environment/installed"
    for file in "$@"; do arguments+=(-r "$file"); done
    say "installing $* into $environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade \
        'pip==24.0' 'setuptools==68.0.0' 'wheel==0.42.0'
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "${arguments[@]}"
    # The scripts import mmnet from here; the files above pin what it needs.
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --no-build-isolation --editable .
}

# An environment with a newer Python: make_new ENVIRONMENT FILE
make_new() {
    local environment=$1 file=$2 stamp=$1/installed python wanted
    wanted=$(wanted_stamp "$file")
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    if ! is_new "$environment/bin/python" || ! has_pip "$environment/bin/python"; then
        python=$(find_new_python)
        [ -n "$python" ] || fail "no Python 3.10 to 3.13 with venv found on PATH or in pyenv, and no" \
            "uv to install one; install uv (pip install uv) or such a Python and run this again"
        say "making $environment with $python"
        "$python" -m venv --clear "$environment"
    fi
    install_into "$environment" "$file"
    echo "$wanted" >"$stamp"
    say "ready: $environment/bin/python ($("$environment/bin/python" --version))"
}

# The packages that the page of scripts/demo.py needs; with --dev, those of its test, too.
fetch_demo() {
    local modules=scripts/demo/node_modules wanted flags=(--omit=dev)
    if [ -n "$dev" ] || [ -e "$modules/playwright-core" ]; then flags=(); fi
    wanted="$(cksum <scripts/demo/package-lock.json) ${flags[*]}"
    if [ -e "$modules/installed" ] && [ "$(cat "$modules/installed")" = "$wanted" ]; then
        return
    fi
    command -v npm >/dev/null || fail "npm not found; install Node.js 20 or later and run this again"
    say "fetching scripts/demo/package.json's packages with npm"
    npm ci --prefix scripts/demo --no-audit --no-fund --loglevel=error ${flags[@]+"${flags[@]}"} >&2
    echo "$wanted" >"$modules/installed"
}

# Horovod is compiled against the TensorFlow in .venv. The wheel is kept, so that a new .venv gets it
# at once. Gloo connects the workers; on GPUs, NCCL averages the gradients.
install_horovod() {
    local version wheels=$PWD/.wheels log=$PWD/.wheels/horovod.log wheel start=$SECONDS
    version=$(sed -n 's/^# horovod==//p' requirements/py37-horovod.txt)
    wheel=$wheels/$kind/horovod-$version-cp37-cp37m-linux_$(uname -m).whl
    if [ ! -e "$wheel" ]; then
        say "building Horovod $version, once; this takes about ten minutes"
        mkdir -p "$wheels"
        if [ "$kind" = gpu ]; then export HOROVOD_GPU_OPERATIONS=NCCL; fi
        HOROVOD_WITH_TENSORFLOW=1 HOROVOD_WITHOUT_PYTORCH=1 HOROVOD_WITHOUT_MXNET=1 \
            HOROVOD_WITH_GLOO=1 HOROVOD_WITHOUT_MPI=1 HOROVOD_CPU_OPERATIONS=GLOO \
            PATH="$PWD/.venv/bin:$PATH" .venv/bin/python -m pip wheel --no-deps \
            --no-build-isolation --disable-pip-version-check --wheel-dir "$wheels/$kind" \
            "horovod==$version" >"$log" 2>&1 ||
            fail "Horovod cannot be built; $log says why. It needs a C++ compiler (g++) and CMake," \
                "and on GPUs CUDA and NCCL"
        say "built Horovod in $((SECONDS - start)) s"
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
        --force-reinstall "$wheel"
}

# Training and its evaluation may be started at the same moment. Somebody who may only read the clone
# can use what is set up.
if touch .setup.lock 2>/dev/null; then
    exec 9>.setup.lock
    if command -v flock >/dev/null; then flock 9; fi
fi

if [ -n "$litert" ]; then make_new .venv-litert requirements/py311-litert.txt; fi
if [ -n "$mediapipe" ]; then make_new .venv-mediapipe requirements/py311-mediapipe.txt; fi
if [ -n "$demo" ]; then fetch_demo; fi
if [ "$litert" = only ]; then exit 0; fi

files=("requirements/py37-$kind.txt")
# Additions stay, too, when another script calls this one without their flags.
if [ -n "$plots" ] || [ -e .venv/plots ]; then
    files+=(requirements/py37-plots.txt)
    plots=yes
fi
if [ -n "$dev" ] || [ -e .venv/dev ]; then
    files+=(requirements/py37-dev.txt)
    dev=yes
fi
if [ -n "$horovod" ] || [ -e .venv/horovod ]; then
    files+=(requirements/py37-horovod.txt)
    horovod=yes
fi
stamp=.venv/installed
wanted=$(wanted_stamp requirements/py37-base.txt "${files[@]}")
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

if ! is_37 .venv/bin/python || ! has_pip .venv/bin/python; then
    python=$(find_python)
    [ -n "$python" ] || fail "no Python 3.7 with venv found on PATH, in pyenv or conda, and no uv to" \
        "install one; install uv (pip install uv) or Python 3.7 and run this again"
    say "making .venv with $python"
    "$python" -m venv --clear .venv
fi
if [ "$kind" = gpu ]; then
    touch .venv/gpu
    # Both builds of TensorFlow have the same files; only one of them may be there.
    if .venv/bin/python -m pip show --quiet tensorflow 2>/dev/null; then
        .venv/bin/python -m pip uninstall --quiet --yes tensorflow tensorflow-gpu
    fi
fi
install_into .venv "${files[@]}"
if [ -n "$horovod" ]; then
    install_horovod
    touch .venv/horovod
fi
if [ -n "$plots" ]; then touch .venv/plots; fi
if [ -n "$dev" ]; then touch .venv/dev; fi
echo "$wanted" >"$stamp"
say "ready: .venv/bin/python ($(.venv/bin/python --version)), TensorFlow for $kind"
