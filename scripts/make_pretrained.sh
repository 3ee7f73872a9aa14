#!/usr/bin/env bash
# Trains networks like those of mmnet/pretrained, from scratch:
#   scripts/make_pretrained.sh CCP_DATASET WORK_DIR [FLAG…]
# CCP_DATASET is the output of prepare_dataset.py ccp --soften on Clothing Co-Parsing. PORTRAITS
# (1000) more are drawn. train_recipe.sh, whose steps and FLAGs apply, trains the networks in
# WORK_DIR. The results go to WORK_DIR/pretrained; you may copy them over mmnet/pretrained.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "${1:-}" = --help ]; then
    sed -n '2,6s/^# *//p' "$0"
    exit 0
fi
if [ $# -lt 2 ] || [[ $1 == -* ]] || [[ $2 == -* ]]; then
    echo "usage: make_pretrained.sh CCP_DATASET WORK_DIR [FLAG…]; FLAGs are those of train.py" >&2
    exit 2
fi
ccp=$1 work=$2
shift 2
if [ -e "$work/pretrained" ]; then
    echo "make_pretrained.sh: error: $work/pretrained: exists already; move it away" >&2
    exit 1
fi
"$root/scripts/setup.sh"
python=$root/.venv/bin/python
mkdir -p "$work"

"$python" "$root/scripts/make_synthetic_portraits.py" "$work/drawn" --test 50 \
    --train "${PORTRAITS:-1000}" --width 384 --height 512 --seed 7
SCRATCH=1 "$root/scripts/train_recipe.sh" "$ccp" "$work/drawn" "$work/training" \
    --dataset_weights 3 1 "$@"

# It gets its name once it is whole.
partial=$work/pretrained.partial
rm -rf "$partial"
mkdir "$partial"
cp "$work/training"/*.tflite "$partial"
for size in 128 256; do
    cp -r "$work/training/${size}_finished" "$partial/mmnet_dm1.0_$size"
done
sums=$(cd "$partial" && find . -type f -printf '%P\n' | sort | xargs sha256sum)
echo "$sums" >"$partial/SHA256SUMS"
mv "$partial" "$work/pretrained"
echo "$work/pretrained: $(du -sb "$work/pretrained" | cut -f1) bytes"
