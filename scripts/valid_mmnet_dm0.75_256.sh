#!/usr/bin/env bash
# Evaluates MMNet-0.75 at 256×256: valid_mmnet_dm0.75_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-0.75: gradient error 2.99, MAD 2.65 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
