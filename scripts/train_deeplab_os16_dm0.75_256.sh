#!/usr/bin/env bash
# Trains MD16-0.75 at 256×256: train_deeplab_os16_dm0.75_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD16-0.75: gradient error 3.25, MAD 2.31 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model deeplab --image_size 256 --width_multiplier 0.75 --output_stride 16 -- "$@"
