#!/usr/bin/env bash
# Trains PortraitNet-C at 224×224: train_portraitnet_c_224.sh DATASET TRAIN_DIR [FLAG…]
# Its Table 1, Exp. 3, with the consistency loss: mean IOU 96.57 % on EG1800.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model portraitnet --image_size 224 --no_boundary_head -- "$@"
