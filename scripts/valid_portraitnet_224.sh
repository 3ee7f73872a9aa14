#!/usr/bin/env bash
# Evaluates PortraitNet at 224×224: valid_portraitnet_224.sh DATASET TRAIN_DIR [FLAG…]
# Its Table 1, Exp. 4, all losses: mean IOU 96.62 % on EG1800; 2.1 M parameters.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
