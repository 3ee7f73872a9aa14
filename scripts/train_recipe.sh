#!/usr/bin/env bash
# Trains MMNet-1.0 on your photos with a recipe for small data sets, and exports it:
#   scripts/train_recipe.sh DATASET… TRAIN_DIR [FLAG…]
# It starts from the pretrained networks, at 256×256 and at 128×128. With SCRATCH=1 it
# starts from random weights at 64×64, where a step is cheap, then uses 128×128 and 256×256. It rounds
# both networks to 8 bits, halves the temperature of all four (TRAIN_DIR/*_finished), and writes
# TRAIN_DIR/mmnet_dm1.0_{128,256}_{float32,int8}.tflite. FLAGs are further flags of train.py. Ctrl-C
# is safe at any time: the same command resumes from there. On GPUs, raise these for better results:
# STEPS_128, STEPS_256 (1500; with SCRATCH=1 2200, 1200), STEPS_64 (3000), STEPS_ROUNDED (100).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
usage="usage: train_recipe.sh DATASET… TRAIN_DIR [FLAG…]; FLAGs are those of train.py"
if [ "${1:-}" = --help ]; then
    sed -n '2,9s/^# *//p' "$0"
    exit 0
fi
places=()
while [ $# -gt 0 ] && [[ $1 != -* ]]; do
    places+=("$1")
    shift
done
if [ ${#places[@]} -lt 2 ]; then
    echo "$usage" >&2
    exit 2
fi
given_warm_up=
for flag in "$@"; do
    if [ "$given_warm_up" = next ]; then given_warm_up=$flag; fi
    case $flag in
        --warm_up_steps) given_warm_up=next ;;
        --warm_up_steps=*) given_warm_up=${flag#*=} ;;
    esac
    if [[ ${flag%%=*} =~ ^--(model|width_multiplier|image_size|max_steps|dataset_path|train_dir)$ ]]
    then
        echo "train_recipe.sh: error: $flag: is the recipe's own; leave it out" >&2
        exit 2
    fi
done
for name in STEPS_64 STEPS_128 STEPS_256 STEPS_ROUNDED; do
    if [[ -n ${!name:-} && ! ${!name} =~ ^[1-9][0-9]*$ ]]; then
        echo "train_recipe.sh: error: $name ${!name}: is not a number of steps; give a whole number above 0" >&2
        exit 2
    fi
done
if [ -n "${SCRATCH:-}" ]; then
    steps_64=${STEPS_64:-3000} steps_128=${STEPS_128:-2200} steps_256=${STEPS_256:-1200}
else
    steps_64='' steps_128=${STEPS_128:-1500} steps_256=${STEPS_256:-1500}
fi
for steps in $steps_64 $steps_128 $steps_256; do
    if [[ $given_warm_up =~ ^[0-9]+$ ]] && [ "$given_warm_up" -ge "$steps" ]; then
        echo "train_recipe.sh: error: --warm_up_steps $given_warm_up: must be below the $steps steps of a stage" >&2
        exit 2
    fi
done
train_dir=${places[-1]}
unset 'places[-1]'
"$root/scripts/setup.sh"
python=$root/.venv/bin/python

# What every training shares. Networks that know people already need less variety.
recipe=(--dataset_path "${places[@]}" --batch_norm_decay 0.99 --learning_rate_schedule cosine
    --backgrounds drawn pairs --augmentation mmnet_texture --seed 1)
if [ -n "${SCRATCH:-}" ]; then
    recipe+=(--framing 0.5 --zoom_out 0.4 --background_probability 0.7)
else
    recipe+=(--framing 0.3 --zoom_out 0.15 --background_probability 0.4)
fi

# set_aside PATH: moves it away, and what was moved away before stays.
set_aside() {
    mv -T --backup=numbered "$1" "${1}_before"
}

# train NAME BEFORE FLAG…: trains NAME, in a directory of its own, from where BEFORE ended. What came
# of an earlier end of BEFORE is set aside.
train() {
    local name=$1 before=$2
    shift 2
    if [ -n "$before" ]; then
        set -- "$@" --init_checkpoint "$train_dir/$before"
        if [ -e "$train_dir/$name" ] &&
            [ "$train_dir/$before/checkpoint" -nt "$train_dir/$name/checkpoint" ]; then
            set_aside "$train_dir/$name"
        fi
    fi
    printf '\n== train.py --train_dir %s %s\n' "$train_dir/$name" "$*"
    "$python" "$root/train.py" --train_dir "$train_dir/$name" "$@"
}

# finish NAME: keeps the averaged weights, and halves their temperature. On 192 selfies that no
# training saw, MAD falls by 10 % and gradient error by 1 %. Further training would undo it, so
# rounding comes first.
finish() {
    local trained=$train_dir/$1 finished=$train_dir/$1_finished
    if [ ! "$finished/checkpoint" -nt "$trained/checkpoint" ]; then
        [ ! -e "$finished" ] || set_aside "$finished"
        rm -rf "$finished.partial"
        "$python" "$root/scripts/strip_checkpoint.py" --temperature 0.5 \
            "$trained" "$finished.partial"
        mv "$finished.partial" "$finished"
    fi
}

# export_file NAME FILE FLAG…, unless it is newer than the training
export_file() {
    local trained=$train_dir/$1 file=$train_dir/$2
    shift 2
    [ "$file" -nt "$trained/checkpoint" ] ||
        "$python" "$root/export_tflite.py" --checkpoint_path "$trained" --output "$file" --force "$@"
}

# warm_up N STEPS: N, or half of a short training
warm_up() {
    echo $(($1 < $2 / 2 ? $1 : $2 / 2))
}

# FLAGs replace the recipe's, but not what makes a stage of it. They may name what to start from.
if [ -n "${SCRATCH:-}" ]; then
    train 64 '' "${recipe[@]}" --learning_rate 8e-3 --warm_up_steps "$(warm_up 100 "$steps_64")" \
        --ema_decay 0.998 "$@" --image_size 64 --max_steps "$steps_64"
    train 128 64 "${recipe[@]}" --learning_rate 4e-3 --warm_up_steps "$(warm_up 50 "$steps_128")" \
        --ema_decay 0.998 "$@" --image_size 128 --max_steps "$steps_128"
    train 256 128 "${recipe[@]}" --learning_rate 3e-3 --warm_up_steps "$(warm_up 20 "$steps_256")" \
        --ema_decay 0.99 --batch_size 16 "$@" --image_size 256 --max_steps "$steps_256"
else
    begin=("${recipe[@]}" --learning_rate 3e-3 --ema_decay 0.99)
    train 256 '' "${begin[@]}" --warm_up_steps "$(warm_up 20 "$steps_256")" --batch_size 8 \
        --init_checkpoint pretrained:mmnet_dm1.0_256 "$@" --image_size 256 --max_steps "$steps_256"
    train 128 '' "${begin[@]}" --warm_up_steps "$(warm_up 20 "$steps_128")" --batch_size 16 \
        --init_checkpoint pretrained:mmnet_dm1.0_128 "$@" --image_size 128 --max_steps "$steps_128"
fi
for size in 256 128; do
    train "${size}_rounded" "$size" "${recipe[@]}" --learning_rate 3e-4 --ema_decay 0.95 \
        --batch_size 16 "$@" --warm_up_steps 0 --quantize --per_channel --image_size "$size" \
        --max_steps "${STEPS_ROUNDED:-100}"
    finish "$size"
    finish "${size}_rounded"
    export_file "${size}_finished" "mmnet_dm1.0_${size}_float32.tflite" --precision float32
    export_file "${size}_rounded_finished" "mmnet_dm1.0_${size}_int8.tflite" --precision int8
done
