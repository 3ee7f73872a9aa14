#!/usr/bin/env python
"""Writes a contact sheet of augmented training images and their alphas.

Each batch has two rows: the images, and below each its person on green.
"""

from mmnet import cli

with cli.starting():
    import numpy as np
    import tensorflow as tf

    from mmnet import compositing, flags, inputs, pictures, summaries
    from mmnet.data.pairs import find_sets
    from mmnet.hparams import Training
    from mmnet.settings import make


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    cli.add_data_flags(parser, split='train')
    parser.add_argument('--output', required=True, help='the picture to write, .jpg or .png')
    parser.add_argument('--image_size', type=cli.positive(int), default=256,
                        help='side of the square that photos are resized to')
    flags.add_variation_flags(parser)
    parser.add_argument('--batch_size', type=cli.positive(int), default=8,
                        help='images in a batch: columns of the sheet')
    parser.add_argument('--batches', type=cli.positive(int), default=3, help='batches to show')
    parser.add_argument('--seed', type=cli.seed, default=0,
                        help='makes order and augmentation reproducible')
    parser.add_argument('--force', action='store_true', help='replace the output file')
    args = parser.parse_args()
    pictures.check_output(args.output, args.force)
    sets = find_sets(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs)
    options = make(Training, {name: getattr(args, name) for name in (
        *flags.VARIATION, 'backgrounds', 'seed', 'batch_size')}, 'training')
    flags.check_needs(args, options)
    photos = inputs.load(sets, options, args.image_size, skip_bad_pairs=args.skip_bad_pairs)

    # The Estimator sets this seed, too, and the order of the photos depends on it.
    tf.set_random_seed(args.seed)
    batch = tf.data.make_one_shot_iterator(inputs.make_dataset(photos, options)).get_next()
    rows = []
    with tf.Session() as session:
        for _ in range(args.batches):
            features, alphas = session.run(batch)
            rows += [np.hstack(features['images']), np.hstack([
                compositing.composite(image, alpha[..., 0] / 255,
                                      np.round(np.multiply(summaries.STRIP_BACKGROUND, 255)))
                for image, alpha in zip(features['images'], alphas)])]
    pictures.save(np.vstack(rows), args.output)
    print(f'{args.output}: {args.batches} batches of {args.batch_size}, '
          f'{args.image_size}×{args.image_size}')
    return 0


if __name__ == '__main__':
    cli.run(main)
