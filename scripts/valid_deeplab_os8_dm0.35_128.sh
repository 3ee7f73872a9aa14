#!/usr/bin/env bash
# Evaluates MD8-0.35 at 128×128: valid_deeplab_os8_dm0.35_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD8-0.35*: gradient error 3.72, MAD 3.07 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
