#!/usr/bin/env python
"""Writes a trained network as a .tflite file for phones; see README.md."""

from typing import List

from mmnet import cli

with cli.starting():
    from mmnet import checkpoints, files, flags, hparams
    from mmnet.errors import UserError
    from mmnet.tflite import check, flatbuffer, gpu
    from mmnet.tflite.export import FLOATS, check_exportable, export


def main() -> int:
    args = flags.export_parser().parse_args()
    checkpoint = checkpoints.resolve(args.checkpoint_path)
    trained = hparams.read_beside(checkpoint)
    check_exportable(trained, args.precision, args.softmax, args.io)
    if args.check and args.precision not in FLOATS:
        raise UserError(f'--check gpu: a GPU gains nothing from {args.precision}; export float16 '
                        f'or float32')
    files.check_output(args.output, args.force)
    size = args.image_size or trained.image_size

    exported = export(checkpoint, trained, size, args.precision, args.softmax, args.io)
    if args.check:
        report_float16(gpu.check(exported, check.example_images(size, trained.channels)[0]))
    with files.replacing(args.output) as partial:
        with open(partial, 'wb') as file:
            file.write(exported.content)
        differences = check.compare(partial, exported, args.output)
    print(f'{args.output}: α differs from the graph\'s by {differences.mean:.2g} on average, '
          f'{differences.largest:.2g} at most')
    counts = flatbuffer.operator_counts(exported.content)
    kinds = ', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))
    print(f'{args.output}: {len(exported.content):,} bytes, {sum(counts.values())} operators: '
          f'{kinds}')
    return 0


def report_float16(reports: List[gpu.LayerReport]) -> None:
    """Prints what half precision does to the layers that it harms most, and to the alpha."""
    print('largest errors in half precision:')
    for each in sorted(reports, key=lambda each: -each.error)[:5]:
        print(f'  {each.name} ({each.kind}): {each.error:.2g}, values up to {each.largest:.3g}')
    print(f'a GPU takes all {len(reports)} layers, none overflows, and α is off by '
          f'{reports[-1].error:.2g} at most')


if __name__ == '__main__':
    cli.run(main)
