#!/usr/bin/env bash
# Runs exported files in LiteRT's aarch64 build, by emulation, beside this machine's:
#   scripts/check_arm.sh [FILE.tflite…]
# It prints how far their alphas are apart, and how many instructions a run takes on ARM, a hint at a
# phone's time. Without FILEs, it runs the networks of mmnet/pretrained. It takes Debian on x86 with
# gcc, and no root: packages go into the folder .arm.
set -euo pipefail
if [ "${1:-}" = --help ]; then
    sed -n '2,6s/^# *//p' "$0"
    exit 0
fi
if [ $# -gt 0 ]; then
    mapfile -d '' files < <(realpath --zero --no-symlinks -- "$@")
    set -- "${files[@]}"
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() { echo "check_arm.sh: error: $*" >&2; exit 1; }
if [ $# -eq 0 ]; then set -- mmnet/pretrained/*.tflite; fi
for file in "$@"; do
    [ -f "$file" ] || fail "$file: no such file; export_tflite.py writes it"
done
for tool in apt-get dpkg-deb gcc; do
    command -v "$tool" >/dev/null || fail "$tool not found; this takes Debian with gcc"
done
scripts/setup.sh --litert-only

# A core of 2018 and later phones, with dot products. QEMU 7.2 computes wrong integer products with
# SME, which its largest model has.
cpu=cortex-a76
arm=$PWD/.arm
version=$(sed -n 's/^ai-edge-litert==//p' requirements/py311-litert.txt)
numpy=$(sed -n 's/^numpy==//p' requirements/py311-litert.txt)

# unpack FOLDER APT_ARGUMENT…: downloads packages and what they need, and unpacks them
unpack() {
    local folder=$1 cache=$arm/cache.$1
    shift
    mkdir -p "$cache/archives/partial"
    apt-get -o Dir::Cache="$cache" install --yes --quiet --quiet --download-only \
        --no-install-recommends "$@" >"$arm/apt.log" 2>&1 ||
        fail "packages cannot be downloaded; $arm/apt.log says why; apt-get update may help"
    mkdir -p "$arm/$folder"
    for package in "$cache"/archives/*.deb; do
        [ -e "$package" ] || fail "apt-get downloaded nothing for $folder; $arm/apt.log says why"
        # Programs of this machine take its own C library.
        if [[ $folder == qemu && $package == */libc6_* ]]; then continue; fi
        dpkg-deb --extract "$package" "$arm/$folder"
    done
    rm -r "$cache"
}

if [ "$(cat "$arm/ready" 2>/dev/null)" != "$version $numpy" ]; then
    echo 'downloading QEMU, and Python and LiteRT for aarch64' >&2
    rm -rf "$arm"
    mkdir -p "$arm/apt/lists/partial"
    : >"$arm/apt/status"
    foreign=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$arm/apt"
        -o Dir::State::status="$arm/apt/status")
    apt-get "${foreign[@]}" update >"$arm/apt.log" 2>&1 ||
        fail "the lists of arm64 packages cannot be read; $arm/apt.log says why"
    unpack root "${foreign[@]}" python3 libstdc++6
    # With an empty status, what is installed counts as missing, and root is not needed.
    unpack qemu -o Dir::State::status="$arm/apt/status" qemu-user
    python=$(basename "$(find "$arm/root/usr/bin" -name 'python3.*[0-9]')")
    .venv-litert/bin/python -m pip install --quiet --disable-pip-version-check \
        --target "$arm/site" --only-binary :all: --implementation cp \
        --python-version "${python#python}" --platform manylinux_2_27_aarch64 \
        --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
        "ai-edge-litert==$version" "numpy==$numpy" 2>"$arm/pip.log" ||
        fail "LiteRT for aarch64 cannot be installed; $arm/pip.log says why"
    # QEMU shows this machine's processor, which LiteRT cannot read there.
    mkdir "$arm/root/proc"
    printf '%s\n' 'processor : 0' 'Features : fp asimd asimddp' 'CPU implementer : 0x41' \
        'CPU architecture: 8' 'CPU variant : 0x1' 'CPU part : 0xd0b' 'CPU revision : 0' '' \
        >"$arm/root/proc/cpuinfo"
    gcc -shared -fPIC -O2 -o "$arm/count.so" scripts/arm/count_instructions.c
    echo "$version $numpy" >"$arm/ready"
fi

python=$(find "$arm/root/usr/bin" -name 'python3.*[0-9]')
triplet=$(basename "$(dirname "$(find "$arm/qemu/usr/lib" -name 'libcapstone.so.*' | head -1)")")
libraries=$arm/qemu/usr/lib/$triplet:$arm/qemu/lib/$triplet

# emulate MODEL ALPHA RUNS: prints the number of instructions
emulate() {
    LD_LIBRARY_PATH=$libraries PYTHONPATH=$arm/site PYTHONHASHSEED=0 OPENBLAS_NUM_THREADS=1 \
        "$arm/qemu/usr/bin/qemu-aarch64" -cpu "$cpu" -L "$arm/root" -plugin "$arm/count.so" -d plugin -D "$arm/count" \
        "$python" scripts/arm/run_file.py "$@" 2>"$arm/run.log" || {
        cat "$arm/run.log" >&2
        fail "$1: cannot be run on aarch64; see above"
    }
    cat "$arm/count"
}

echo "LiteRT $version on $cpu, emulated, against $(uname -m)"
printf '%-44s %10s %12s %14s\n' file different largest instructions
for file in "$@"; do
    .venv-litert/bin/python scripts/arm/run_file.py "$file" "$arm/here.npy" 1 2>"$arm/run.log" ||
        fail "$file: cannot be run; $arm/run.log says why"
    # What Python does before and after is in both; the first time, it compiles modules as well.
    emulate "$file" "$arm/there.npy" 1 >/dev/null
    once=$(emulate "$file" "$arm/there.npy" 1)
    often=$(emulate "$file" "$arm/there.npy" 11)
    .venv-litert/bin/python - "$file" "$arm" $(((often - once) / 10)) <<'END'
import os
import sys

import numpy as np

file, folder, instructions = sys.argv[1:]
here, there = (np.load(os.path.join(folder, name + '.npy')) for name in ('here', 'there'))
error = abs(here - there)
print(f'{os.path.basename(file):44} {(error > 0).mean():10.2%} {error.max():12.2g} '
      f'{int(instructions) / 1e6:12.1f} M')
END
done
