#!/usr/bin/env bash
# Evaluates MD16-0.75 at 128×128: valid_deeplab_os16_dm0.75_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD16-0.75*: gradient error 3.77, MAD 2.96 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
