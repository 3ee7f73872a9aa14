#!/usr/bin/env bash
# Evaluates MODNet at 512×512: valid_modnet_512.sh DATASET TRAIN_DIR [FLAG…]
# With e-ASPP, as the paper describes it.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
