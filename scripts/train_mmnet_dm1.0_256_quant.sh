#!/usr/bin/env bash
# Fine-tunes MMNet-1.00 at 256×256 with 8-bit weights and activations:
#   train_mmnet_dm1.0_256_quant.sh DATASET TRAIN_DIR --init_checkpoint FLOAT_TRAIN_DIR [FLAG…]
# Table 3, MMNet-1.00Q: gradient error 2.88, MAD 2.47 in the paper; Table 5: 98 ms on a Mi 5.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model mmnet --image_size 256 --width_multiplier 1.0 --quantize -- "$@"
