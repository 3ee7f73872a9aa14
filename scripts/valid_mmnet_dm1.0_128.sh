#!/usr/bin/env bash
# Evaluates MMNet-1.00 at 128×128: valid_mmnet_dm1.0_128.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-1.00*: gradient error 3.44, MAD 2.97 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
