#!/usr/bin/env bash
# Evaluates MMNet-0.50 at 256×256: valid_mmnet_dm0.5_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-0.50: gradient error 3.17, MAD 2.83 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
