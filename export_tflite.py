#!/usr/bin/env python
"""Writes a trained network as a .tflite file for phones; see README.md."""

import os

from mmnet import evaluation, files, flags, hparams
from mmnet.tflite import check, flatbuffer
from mmnet.tflite.export import check_settings, export


def main() -> int:
    args = flags.export_parser().parse_args()
    checkpoint = evaluation.resolve(args.checkpoint_path)
    settings = hparams.read(os.path.dirname(checkpoint) or '.')
    check_settings(settings, args.precision, args.softmax)
    files.check_output(args.output, args.force)
    size = args.image_size or settings['image_size']

    exported = export(checkpoint, settings, size, args.precision, args.softmax)
    with files.replacing(args.output) as partial:
        with open(partial, 'wb') as file:
            file.write(exported.content)
        differences = check.compare(partial, exported)
    print('{}: α differs from the graph\'s by {:.2g} on average, {:.2g} at most'.format(
        args.output, differences.mean, differences.largest))
    counts = flatbuffer.operator_counts(exported.content)
    print('{}: {:,} bytes, {} operators: {}'.format(
        args.output, len(exported.content), sum(counts.values()), ', '.join(
            '{} {}'.format(count, kind) for kind, count in sorted(counts.items()))))
    return 0


if __name__ == '__main__':
    flags.run(main)
