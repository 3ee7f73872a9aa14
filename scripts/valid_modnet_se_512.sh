#!/usr/bin/env bash
# Evaluates MODNet at 512×512: valid_modnet_se_512.sh DATASET TRAIN_DIR [FLAG…]
# In the released form, with squeeze-and-excitation: 6.49 M parameters.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
