#!/usr/bin/env python
"""Converts a network as TensorFlow 1.15 does it by itself: the baseline of benchmark_tflite.py.

MMNet-1.0 in its authors' formulation, or Mobile DeepLabv3; random weights, float32, softmax last.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The converter is a program beside Python's.
os.environ['PATH'] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get('PATH', '')

from authors import authors_network  # noqa: E402  (needs the path above)
from mmnet import files, flags, models  # noqa: E402

import tensorflow as tf  # noqa: E402


def main() -> int:
    parser = flags.Parser(__doc__.split('\n')[0])
    parser.add_argument('model', choices=('mmnet', 'deeplab'), help='mmnet is MMNet-1.0')
    parser.add_argument('output', help='the .tflite file to write')
    parser.add_argument('--image_size', type=flags.positive(int), default=256, help='its side')
    parser.add_argument('--width_multiplier', type=flags.positive(float), default=0.75,
                        help='of deeplab')
    parser.add_argument('--output_stride', type=int, choices=(8, 16), default=16,
                        help='of deeplab')
    args = parser.parse_args()
    images = tf.placeholder(tf.float32, [1, args.image_size, args.image_size, 3])
    if args.model == 'mmnet':
        logits, _ = authors_network(images, is_training=False)
    else:
        logits, _ = models.build('deeplab', images, is_training=False,
                                 width_multiplier=args.width_multiplier,
                                 output_stride=args.output_stride)
    alpha = tf.nn.softmax(logits)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        content = tf.lite.TFLiteConverter.from_session(session, [images], [alpha]).convert()
    with files.replacing(args.output) as partial, open(partial, 'wb') as file:
        file.write(content)
    return 0


if __name__ == '__main__':
    flags.run(main)
