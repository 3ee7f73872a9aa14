#!/usr/bin/env bash
# Evaluates MMNet-1.40 at 256×256: valid_mmnet_dm1.4_256.sh DATASET TRAIN_DIR [FLAG…]
# Table 2, MMNet-1.40: gradient error 2.86 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
