#!/usr/bin/env bash
# Trains MD16-0.50 at 256×256: train_deeplab_os16_dm0.5_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD16-0.50: gradient error 3.36, MAD 2.53 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model deeplab --image_size 256 --width_multiplier 0.5 --output_stride 16 -- "$@"
