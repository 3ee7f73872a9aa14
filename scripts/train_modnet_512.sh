#!/usr/bin/env bash
# Trains MODNet at 512×512: train_modnet_512.sh DATASET TRAIN_DIR [FLAG…]
# With e-ASPP, as the paper describes it.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py --model modnet --image_size 512 -- "$@"
