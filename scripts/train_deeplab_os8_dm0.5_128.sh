#!/usr/bin/env bash
# Trains MD8-0.50 at 128×128: train_deeplab_os8_dm0.5_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD8-0.50*: gradient error 3.61, MAD 2.85 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model deeplab --image_size 128 --width_multiplier 0.5 --output_stride 8 -- "$@"
