#!/usr/bin/env bash
# Trains or evaluates the row of the papers' tables that the calling script's name spells out:
#   {train,valid}_mmnet_dm<width>_<size>.sh and {train,valid}_deeplab_os<stride>_dm<width>_<size>.sh,
#   {train,valid}_portraitnet[_m|_b|_c]_<size>.sh and {train,valid}_modnet[_se]_<size>.sh,
# with _quant behind the size for quantization-aware training.
# It is called by those scripts, as `row.sh SCRIPT DATASET TRAIN_DIR [FLAG…]`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

name=$(basename "$1" .sh)
shift
pattern='^(train|valid)_(mmnet|deeplab|portraitnet|modnet)(_(m|b|c|se))?'
pattern+='(_os([0-9]+))?(_dm([0-9.]+))?_([0-9]+)(_quant)?$'
if [[ ! $name =~ $pattern ]]; then
    echo "$name.sh: error: the name spells out no row; see scripts/ for those there are" >&2
    exit 2
fi
action=${BASH_REMATCH[1]} model=${BASH_REMATCH[2]} variant=${BASH_REMATCH[4]}
stride=${BASH_REMATCH[6]} width=${BASH_REMATCH[8]} size=${BASH_REMATCH[9]} quant=${BASH_REMATCH[10]}
case $variant in
    m) settings=(--no_boundary_head --consistency_loss_weight 0) ;;
    b) settings=(--boundary_loss_weight 0.1 --consistency_loss_weight 0) ;;
    c) settings=(--no_boundary_head) ;;
    se) settings=(--squeeze_excitation) ;;
    *) settings=() ;;
esac

if [ $# -lt 2 ] || [[ $1 == -* ]] || [[ $2 == -* ]]; then
    echo "usage: $name.sh DATASET TRAIN_DIR [FLAG…], flags as of" \
        "$([ "$action" = train ] && echo train.py || echo evaluate.py)" >&2
    exit 2
fi
dataset=$1 train_dir=$2
shift 2
"$root/scripts/setup.sh"

if [ "$action" = train ]; then
    exec "$root/.venv/bin/python" "$root/train.py" --model "$model" --image_size "$size" \
        ${width:+--width_multiplier "$width"} ${stride:+--output_stride "$stride"} \
        ${settings[@]+"${settings[@]}"} ${quant:+--quantize} \
        --dataset_path "$dataset" --train_dir "$train_dir" "$@"
fi
# A train directory is followed while training writes to it; a checkpoint is measured once.
watch=(--watch)
if [ -e "$train_dir" ] && [ ! -d "$train_dir" ] || [ -e "$train_dir.index" ]; then
    watch=()
fi
exec "$root/.venv/bin/python" "$root/evaluate.py" --dataset_path "$dataset" \
    --checkpoint_path "$train_dir" "${watch[@]}" "$@"
