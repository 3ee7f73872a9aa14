#!/usr/bin/env bash
# Evaluates MD16-1.00 at 256×256: valid_deeplab_os16_dm1.0_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 2, MD16-1.00: gradient error 3.22 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
