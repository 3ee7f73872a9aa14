#!/usr/bin/env bash
# Trains MMNet-1.00 at 256×256: train_mmnet_dm1.0_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-1.00: gradient error 2.93, MAD 2.48 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model mmnet --image_size 256 --width_multiplier 1.0 -- "$@"
