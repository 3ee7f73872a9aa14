#!/usr/bin/env python
"""Writes a checkpoint to publish, without the variables that only training needs.

Moving averages replace the weights, and a third of the bytes remains. Given several checkpoints of
one network, it writes the mean of their weights, which can be better than any of them. With
--temperature, alphas become more certain: choose it on photos that were held out of training.
"""

import os

from mmnet import cli

with cli.starting():
    from mmnet import checkpoints, pretrained, restored
    from mmnet.errors import UserError


def main() -> None:
    parser = cli.Parser(__doc__)
    parser.add_argument('checkpoint', nargs='+', type=pretrained.find,
                        help='a train directory, one checkpoint or pretrained:NAME')
    parser.add_argument('dest', help='the folder to make; any program takes it as a checkpoint')
    parser.add_argument('--temperature', type=cli.positive(float), default=1.0,
                        help='divide the logits by this')
    args = parser.parse_args()
    sources = [checkpoints.resolve(each, 'CHECKPOINT') for each in args.checkpoint]
    if os.path.isdir(args.dest) and os.listdir(args.dest):
        raise UserError(f'{args.dest}: is not empty; name another folder')
    restored.strip(sources, args.dest, args.temperature)


if __name__ == '__main__':
    cli.run(main)
