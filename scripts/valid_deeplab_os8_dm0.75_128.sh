#!/usr/bin/env bash
# Evaluates MD8-0.75 at 128×128: valid_deeplab_os8_dm0.75_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MD8-0.75*: gradient error 3.53, MAD 2.61 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
