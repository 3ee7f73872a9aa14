#!/usr/bin/env bash
# Trains MD8-0.75 at 128×128: train_deeplab_os8_dm0.75_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD8-0.75*: gradient error 3.53, MAD 2.61 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model deeplab --image_size 128 --width_multiplier 0.75 --output_stride 8 -- "$@"
