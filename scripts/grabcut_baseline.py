#!/usr/bin/env python
"""Measures OpenCV's GrabCut on a split, as networks are measured: the baseline of Figure 5.

The trimap is automatic: it is certain where nearly all masks of the training split agree.
"""

from mmnet import cli

with cli.starting():
    from mmnet import evaluation, files, grabcut, records
    from mmnet.data.pairs import find_sets


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    cli.add_data_flags(parser, split='test')
    parser.add_argument('--trimap_split_name', default='train',
                        help='the split whose masks make the trimap')
    parser.add_argument('--image_size', type=cli.positive(int), default=grabcut.SIZE,
                        help='side of the square that photos are resized to')
    cli.add_json_flag(parser)
    args = parser.parse_args()
    sets = find_sets(args.dataset_path, args.dataset_split_name, args.skip_bad_pairs)
    labels = grabcut.trimap(args.dataset_path, args.trimap_split_name, args.image_size,
                            args.skip_bad_pairs)
    evaluator = evaluation.Evaluator(sets, args.image_size, batch_size=8,
                                     skip_bad_pairs=args.skip_bad_pairs)
    record, _ = evaluator.evaluate(evaluation.image_by_image(
        lambda image: grabcut.alpha(image, labels)))
    records.report(record)
    if args.json:
        files.write_json(record, args.json)
    return 0


if __name__ == '__main__':
    cli.run(main)
