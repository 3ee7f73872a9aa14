#!/usr/bin/env python
"""Converts a network with TensorFlow 1.15's own converter: the baseline of benchmark_tflite.py.

The network is MMNet-1.0 in its authors' formulation, or Mobile DeepLabv3. It has random weights,
float32, and ends in a softmax.
"""

import os
import sys

from mmnet import cli

with cli.starting():
    import tensorflow as tf

    from mmnet import files, models
    from mmnet.models.authors import authors_network


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('model', choices=('mmnet', 'deeplab'), help='mmnet is MMNet-1.0')
    parser.add_argument('output', help='the .tflite file to write')
    parser.add_argument('--image_size', type=cli.positive(int), default=256,
                        help='side of the input square')
    parser.add_argument('--width_multiplier', type=cli.positive(float), default=0.75,
                        help='deeplab\'s width multiplier')
    parser.add_argument('--output_stride', type=int, choices=(8, 16), default=16,
                        help='deeplab\'s output stride')
    args = parser.parse_args()
    # The converter is a program in the same folder as Python.
    os.environ['PATH'] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get('PATH', '')
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
    cli.run(main)
