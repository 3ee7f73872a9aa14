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

    from mmnet import files, flags, models
    from mmnet.errors import UserError
    from mmnet.models.authors import authors_network

# Mobile DeepLabv3's, unless flags say otherwise.
WIDTH, STRIDE = 0.75, 16


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('model', choices=('mmnet', 'deeplab'), help='mmnet is MMNet-1.0')
    parser.add_argument('output', help='the .tflite file to write')
    parser.add_argument('--image_size', type=cli.positive(int), default=256,
                        help='side of the input square')
    parser.add_argument('--width_multiplier', type=cli.positive(float),
                        help=f'deeplab\'s width multiplier; by default {WIDTH}')
    parser.add_argument('--output_stride', type=int, choices=(8, 16),
                        help=f'deeplab\'s output stride; by default {STRIDE}')
    parser.add_argument('--force', action='store_true', help='replace the output file')
    args = parser.parse_args()
    files.check_output(args.output, args.force)
    settings = {'width_multiplier': args.width_multiplier or WIDTH,
                'output_stride': args.output_stride or STRIDE} if args.model == 'deeplab' else {}
    if not settings and (args.width_multiplier or args.output_stride):
        raise UserError('--width_multiplier and --output_stride are for deeplab; mmnet is '
                        'MMNet-1.0')
    flags.check_image_size(args.model, args.image_size,
                           models.network_spec(args.model).settings(**settings))
    # The converter is a program in the same folder as Python.
    os.environ['PATH'] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get('PATH', '')
    images = tf.placeholder(tf.float32, [1, args.image_size, args.image_size, 3])
    if args.model == 'mmnet':
        logits, _ = authors_network(images, is_training=False)
    else:
        logits, _ = models.build('deeplab', images, is_training=False, **settings)
    alpha = tf.nn.softmax(logits)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        content = tf.lite.TFLiteConverter.from_session(session, [images], [alpha]).convert()
    with files.replacing(args.output) as partial, open(partial, 'wb') as file:
        file.write(content)
    return 0


if __name__ == '__main__':
    cli.run(main)
