#!/usr/bin/env bash
# Trains MMNet-1.40 at 256×256: train_mmnet_dm1.4_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 2, MMNet-1.40: gradient error 2.86 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model mmnet --image_size 256 --width_multiplier 1.4 -- "$@"
