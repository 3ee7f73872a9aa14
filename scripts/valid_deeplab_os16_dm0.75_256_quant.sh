#!/usr/bin/env bash
# Evaluates MD16-0.75 at 256×256 with 8-bit weights and activations:
#   valid_deeplab_os16_dm0.75_256_quant.sh DATASET TRAIN_DIR [FLAG…]
# Table 5, the quantized MD16-0.75: 104 ms on a Pixel 1 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
