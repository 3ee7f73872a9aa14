#!/usr/bin/env bash
# Trains MMNet-0.75 at 256×256: train_mmnet_dm0.75_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-0.75: gradient error 2.99, MAD 2.65 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model mmnet --image_size 256 --width_multiplier 0.75 -- "$@"
