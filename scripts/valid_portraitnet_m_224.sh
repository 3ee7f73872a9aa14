#!/usr/bin/env bash
# Evaluates PortraitNet-M at 224×224: valid_portraitnet_m_224.sh DATASET TRAIN_DIR [FLAG…]
# Its Table 1, Exp. 1, the mask's loss alone: mean IOU 96.32 % on EG1800.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
