#!/usr/bin/env bash
# Trains PortraitNet at 224×224: train_portraitnet_224.sh DATASET TRAIN_DIR [FLAG…]
# Its Table 1, Exp. 4, all losses: mean IOU 96.62 % on EG1800; 2.1 M parameters.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py --model portraitnet --image_size 224 -- "$@"
