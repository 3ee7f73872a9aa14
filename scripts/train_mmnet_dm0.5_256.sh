#!/usr/bin/env bash
# Trains MMNet-0.50 at 256×256: train_mmnet_dm0.5_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-0.50: gradient error 3.17, MAD 2.83 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model mmnet --image_size 256 --width_multiplier 0.5 -- "$@"
