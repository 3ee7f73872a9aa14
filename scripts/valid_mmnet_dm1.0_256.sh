#!/usr/bin/env bash
# Evaluates MMNet-1.00 at 256×256: valid_mmnet_dm1.0_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 3, MMNet-1.00: gradient error 2.93, MAD 2.48 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
