#!/usr/bin/env bash
# Evaluates PortraitNet-C at 224×224: valid_portraitnet_c_224.sh DATASET TRAIN_DIR [FLAG…]
# Its Table 1, Exp. 3, with the consistency loss: mean IOU 96.57 % on EG1800.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
