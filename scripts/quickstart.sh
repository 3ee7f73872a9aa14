#!/usr/bin/env bash
# Cuts the people out of your PHOTOs within a minute, then trains a network of your own in about ten
# minutes more, on two cores:
#   scripts/quickstart.sh [--dir DIR] [--steps N] [PHOTO…]
# First, the pretrained network cuts the people out of your photos, or out of a drawn portrait. Then
# the script draws portraits with exact alphas, and trains and evaluates a small MMNet on them. It
# rounds the network to 8 bits, exports it and tries it on unseen portraits. All files go into DIR
# (quickstart). N is 1300; more is better but slower. Ctrl-C is safe: the same command resumes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() { echo "quickstart.sh: error: $*" >&2; exit 2; }

dir=$root/quickstart steps=1300 photos=() names=
while [ $# -gt 0 ]; do
    case "$1" in
        -h | --help) sed -n '2,8s/^# *//p' "$0"; exit 0 ;;
        --dir | --steps) [ $# -gt 1 ] || fail "$1 needs a value"
            if [ "$1" = --dir ]; then dir=$2; else steps=$2; fi
            shift ;;
        -*) fail "unknown flag $1; choose from --dir and --steps" ;;
        *) [ -f "$1" ] || fail "$1: no such photo"
            [[ ! ${1,,} =~ \.(mp4|mov|m4v|avi|mkv|webm|3gp|mts|m2ts|mpg|mpeg|wmv|flv|ogv)$ ]] ||
                fail "$1: is a video; name photos here, and give videos to scripts/matte.py"
            name=$(basename "$1")
            [[ $names != *"/${name%.*}/"* ]] || fail "$1: another photo has this name; rename one"
            [[ ! ${name%.*} =~ ^000[0-3][0-9]$ ]] || fail "$1: is a drawn portrait's name; rename it"
            names+="/${name%.*}/"
            photos+=("$1") ;;
    esac
    shift
done
[[ $steps =~ ^[1-9][0-9]*$ ]] || fail "--steps $steps: is not a whole number above 0"

say() { printf '\n== %s\n' "$*"; }
python=$root/.venv/bin/python
# Clears the line of the progress bar before each line of the evaluation beside it.
clear_bar() { if [ -t 1 ]; then sed -u $'s/^/\r\033[K/'; else cat; fi; }

evaluator=
trap 'if [ -n "$evaluator" ]; then kill "$evaluator" 2>/dev/null || true; fi' EXIT
trap 'echo "quickstart.sh: interrupted; the same command resumes from here" >&2; exit 130' INT TERM

say "1/8 setting up LiteRT in .venv-litert, once: 250 MB to download"
"$root/scripts/setup.sh" --litert-only
mkdir -p "$dir"

first=(${photos[@]+"${photos[@]}"})
if [ ${#first[@]} -eq 0 ]; then
    "$root/.venv-litert/bin/python" "$root/scripts/make_synthetic_portraits.py" "$dir/example" \
        --train 1 --test 1 --width 384 --height 512 --seed 3 >/dev/null
    first=("$dir/example/test/image/00000.jpg")
fi
say "2/8 cutting out ${first[*]} with the pretrained network: $dir/pretrained"
"$root/.venv-litert/bin/python" "$root/scripts/matte.py" "${first[@]}" --output_dir "$dir/pretrained" \
    --foreground --force
echo "There are your cut-outs, $SECONDS s after the start. What follows trains a network."

say "3/8 setting up TensorFlow 1.15 in .venv, once: 350 MB to download"
"$root/scripts/setup.sh"

say "4/8 drawing portraits: $dir/portraits"
data=$dir/portraits
"$python" "$root/scripts/make_synthetic_portraits.py" "$data" --train 800 --test 40

say "5/8 training MMNet-0.5 at 128×128, $steps steps, with evaluation beside it: $dir/float"
network=(--model mmnet --width_multiplier 0.5 --image_size 128 --dataset_path "$data"
    --batch_size 16 --batch_norm_decay 0.99 --seed 0 --keep_checkpoint_max $((steps / 200 + 20)))
"$python" "$root/evaluate.py" --dataset_path "$data" --checkpoint_path "$dir/float" --watch \
    --max_steps "$steps" > >(clear_bar) 2>>"$dir/evaluation.log" &
evaluator=$!
"$python" "$root/train.py" "${network[@]}" --train_dir "$dir/float" --learning_rate 4e-3 \
    --max_steps "$steps" --save_checkpoints_steps 200
wait "$evaluator" || fail "evaluation failed; see $dir/evaluation.log"
evaluator=

# Other --steps start from another network.
quantized=$dir/quantized-$steps
say "6/8 training on with weights and activations rounded to 8 bits: $quantized"
"$python" "$root/train.py" "${network[@]}" --train_dir "$quantized" --quantize \
    --init_checkpoint "$dir/float" --learning_rate 5e-4 --max_steps $(((steps + 7) / 8)) \
    --save_checkpoints_steps 1000

model=$quantized/model.tflite
say "7/8 exporting $model, and comparing it with the graph (half a minute)"
if [ ! "$model" -nt "$quantized/checkpoint" ]; then
    "$python" "$root/export_tflite.py" --checkpoint_path "$quantized" --output "$model" \
        --precision uint8 --force
fi

say "8/8 cutting out people that the trained network has not seen: $dir/cutouts"
"$python" "$root/scripts/matte.py" --model "$model" "$data/test/image" ${photos[@]+"${photos[@]}"} \
    --output_dir "$dir/cutouts" --refine --foreground --force >/dev/null

say "gradient error and MAD on the test portraits; less is better"
echo "alpha = 1 everywhere:"
"$python" "$root/evaluate.py" --dataset_path "$data" --always_foreground
echo "untrained network:"
"$python" "$root/evaluate.py" --dataset_path "$data" --checkpoint_path "$dir/float/model.ckpt-0"
echo "trained, 8-bit file:"
"$python" "$root/evaluate.py" --dataset_path "$data" --tflite_path "$model"

say "the results, $((SECONDS / 60)) min $((SECONDS % 60)) s after the start"
"$python" "$root/scripts/show_mattes.py" --model "$model" --dataset_path "$data" \
    ${photos[@]+"${photos[@]}"} --output "$dir/mattes.jpg" --refine --force
