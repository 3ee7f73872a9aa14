#!/usr/bin/env bash
# Trains PortraitNet-M at 224×224: train_portraitnet_m_224.sh DATASET TRAIN_DIR [FLAG…]
# Its Table 1, Exp. 1, the mask's loss alone: mean IOU 96.32 % on EG1800.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model portraitnet --image_size 224 --no_boundary_head --consistency_loss_weight 0 -- "$@"
