#!/usr/bin/env bash
# Trains MODNet at 512×512: train_modnet_se_512.sh DATASET TRAIN_DIR [FLAG…]
# In the released form, with squeeze-and-excitation: 6.49 M parameters.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model modnet --image_size 512 --squeeze_excitation -- "$@"
