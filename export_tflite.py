#!/usr/bin/env python
"""Writes a trained network as a .tflite file for phones; see README.md."""

import os

from mmnet import cli

with cli.starting():
    from mmnet import checkpoints, files, flags, hparams
    from mmnet.tflite import check, flatbuffer
    from mmnet.tflite.export import check_exportable, export


def main() -> int:
    args = flags.export_parser().parse_args()
    checkpoint = checkpoints.resolve(args.checkpoint_path)
    trained = hparams.read(os.path.dirname(checkpoint) or '.')
    check_exportable(trained, args.precision, args.softmax, args.io)
    files.check_output(args.output, args.force)
    size = args.image_size or trained.image_size

    exported = export(checkpoint, trained, size, args.precision, args.softmax, args.io)
    with files.replacing(args.output) as partial:
        with open(partial, 'wb') as file:
            file.write(exported.content)
        differences = check.compare(partial, exported)
    print(f'{args.output}: α differs from the graph\'s by {differences.mean:.2g} on average, '
          f'{differences.largest:.2g} at most')
    counts = flatbuffer.operator_counts(exported.content)
    kinds = ', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))
    print(f'{args.output}: {len(exported.content):,} bytes, {sum(counts.values())} operators: '
          f'{kinds}')
    return 0


if __name__ == '__main__':
    cli.run(main)
