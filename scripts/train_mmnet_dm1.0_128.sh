#!/usr/bin/env bash
# Trains MMNet-1.00 at 128×128: train_mmnet_dm1.0_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-1.00*: gradient error 3.44, MAD 2.97 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model mmnet --image_size 128 --width_multiplier 1.0 -- "$@"
