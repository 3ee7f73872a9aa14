#!/usr/bin/env bash
# Trains MD8-0.35 at 128×128: train_deeplab_os8_dm0.35_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD8-0.35*: gradient error 3.72, MAD 3.07 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model deeplab --image_size 128 --width_multiplier 0.35 --output_stride 8 -- "$@"
