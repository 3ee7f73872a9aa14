#!/usr/bin/env bash
# Evaluates MD16-1.00 at 128×128: valid_deeplab_os16_dm1.0_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD16-1.00*: gradient error 3.68, MAD 2.88 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
