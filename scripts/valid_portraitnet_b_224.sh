#!/usr/bin/env bash
# Evaluates PortraitNet-B at 224×224: valid_portraitnet_b_224.sh DATASET TRAIN_DIR [FLAG…]
# Its Table 1, Exp. 2, with the boundary loss, from a trained PortraitNet-M:
# mean IOU 96.54 % on EG1800.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" evaluate.py --dataset_split_name test -- "$@"
