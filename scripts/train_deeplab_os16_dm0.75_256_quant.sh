#!/usr/bin/env bash
# Fine-tunes MD16-0.75 at 256×256 with 8-bit weights and activations:
#   train_deeplab_os16_dm0.75_256_quant.sh DATASET TRAIN_DIR --init_checkpoint FLOAT_TRAIN_DIR [FLAG…]
# Table 5, the quantized MD16-0.75: 104 ms on a Pixel 1 in the paper.
exec "$(dirname "${BASH_SOURCE[0]}")/row.sh" train.py \
    --model deeplab --image_size 256 --width_multiplier 0.75 --output_stride 16 --quantize -- "$@"
