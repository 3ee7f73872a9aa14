#!/usr/bin/env bash
# Trains or measures a row of the papers' tables. The row's own script calls it:
#   row.sh train.py    ROW_FLAG… -- DATASET TRAIN_DIR [FLAG…]
#   row.sh evaluate.py ROW_FLAG… -- DATASET TRAIN_DIR [FLAG…]
# FLAGs are further flags of that program. For train.py, --workers N trains with N processes of this
# machine. evaluate.py follows a train directory while training writes to it; it measures a single
# checkpoint once.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

program=$1 row=()
shift
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    row+=("$1")
    shift
done
shift || true
usage="usage: DATASET TRAIN_DIR [FLAG…]; FLAGs are those of $program"
if [ "$program" = train.py ]; then usage+=", and --workers N"; fi
if [ "${1:-}" = --help ]; then
    echo "$usage"
    exit 0
fi
if [ $# -lt 2 ] || [[ $1 == -* ]] || [[ $2 == -* ]]; then
    echo "$usage" >&2
    exit 2
fi
dataset=$1 train_dir=$2
shift 2

if [ "$program" = train.py ]; then
    place=(--train_dir "$train_dir")
# No training writes to best/, which holds scores.
elif [ -e "$train_dir" ] && [ ! -d "$train_dir" ] || [ -e "$train_dir.index" ] ||
    [ -e "$train_dir/scores.json" ]; then
    place=(--checkpoint_path "$train_dir")
else
    place=(--checkpoint_path "$train_dir" --watch)
fi
flags=() workers=1
while [ $# -gt 0 ]; do
    if [[ $1 == --workers=* ]]; then set -- --workers "${1#*=}" "${@:2}"; fi
    if [ "$1" = --workers ] && [ "$program" = train.py ]; then
        workers=${2:-}
        if ! [[ $workers =~ ^[1-9][0-9]*$ ]]; then
            echo "row.sh: error: --workers $workers: is not a number of processes; give one above 0" >&2
            exit 2
        fi
        shift
    else
        flags+=("$1")
    fi
    shift
done
command=("$root/.venv/bin/python" "$root/$program" "${row[@]}" --dataset_path "$dataset"
    "${place[@]}" ${flags[@]+"${flags[@]}"})
if [ "$workers" -gt 1 ]; then
    "$root/scripts/setup.sh" --horovod
    command=("$root/.venv/bin/horovodrun" -np "$workers" -H "localhost:$workers" "${command[@]}")
else
    "$root/scripts/setup.sh"
fi
exec "${command[@]}"
