#!/usr/bin/env python
"""Cuts people out of photos, videos and a camera's picture; see mmnet/matting.py and --help."""

from mmnet import cli

with cli.starting():
    from mmnet import matting

if __name__ == '__main__':
    matting.command()
