#!/usr/bin/env bash
# Evaluates MD16-0.50 at 256×256: valid_deeplab_os16_dm0.5_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD16-0.50: gradient error 3.36, MAD 2.53 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
