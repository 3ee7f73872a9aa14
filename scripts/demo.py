#!/usr/bin/env python
"""Serves a page that cuts people out of a camera's picture, a photo or a video.

    scripts/demo.py [--model FILE]      then open the printed address
    scripts/demo.py --build DIR         writes the page for any static host

The exported file runs in the browser, by LiteRT.js; scripts/setup.sh --demo fetches that.
"""

import contextlib
import functools
import http.server
import json
import os
import shutil
import tempfile

from mmnet import cli

with cli.starting():
    import numpy as np

    from mmnet import environments, files, pretrained
    from mmnet.errors import UserError
    from mmnet.runtime import Interpreter, is_exported_file

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'demo')
PAGE = ('index.html', 'demo.css', 'demo.js', 'matting.js', 'composition.js')
PACKAGES = os.path.join(SOURCE, 'node_modules', '@litertjs')
# Browsers give threads to pages that are isolated from other origins.
ISOLATION = {'Cross-Origin-Opener-Policy': 'same-origin',
             'Cross-Origin-Embedder-Policy': 'require-corp'}


def main() -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument('--model', type=pretrained.find, default=pretrained.DEFAULT,
                        help='a file of export_tflite.py, or pretrained:NAME')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--port', default=8000,
                       type=cli.number(int, cli.Bounds(above=0, below=2 ** 16)),
                       help='where to serve the page, on this machine only')
    where.add_argument('--build', metavar='DIR', help='write the page here instead; a new folder')
    args = parser.parse_args()
    if not os.path.isdir(PACKAGES):
        raise UserError('LiteRT.js is not set up; run scripts/setup.sh --demo once')
    if not is_exported_file(args.model):
        raise UserError(f'--model {args.model}: no such file; export_tflite.py writes it')
    if args.build and os.path.lexists(args.build):
        raise UserError(f'--build {args.build}: exists already; choose a new folder')
    if args.build:
        parent = os.path.dirname(os.path.abspath(args.build))
        files.make_directory(parent)
        files.check_writable(parent, '--build')
    interpreter = Interpreter(args.model, environments.enter('litert'))
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.join(scratch, 'page')
        build(folder, args.model, interpreter)
        if args.build:
            try:
                shutil.move(folder, args.build)
            except OSError as error:
                shutil.rmtree(args.build, ignore_errors=True)
                raise UserError(f'--build {args.build}: cannot be written '
                                f'({error.strerror or error})')
            print(f'{args.build}: put it on any static host; threads need these headers: ' +
                  ', '.join(f'{name}: {value}' for name, value in ISOLATION.items()))
        else:
            serve(folder, args.port)
    return 0


def build(folder: str, model: str, interpreter: Interpreter) -> None:
    """Writes the page, LiteRT.js and the network into a new folder."""
    os.makedirs(folder)
    for name in PAGE:
        shutil.copyfile(os.path.join(SOURCE, name), os.path.join(folder, name))
    shutil.copytree(os.path.join(PACKAGES, 'core', 'wasm'), os.path.join(folder, 'litert', 'wasm'))
    for package, name in (('core', 'index.js'), ('wasm-utils', 'wasm-utils.js')):
        shutil.copyfile(os.path.join(PACKAGES, package, 'dist', 'index.js'),
                        os.path.join(folder, 'litert', name))
    shutil.copyfile(model, os.path.join(folder, 'network.tflite'))
    with open(os.path.join(folder, 'network.json'), 'w') as file:
        json.dump(describe(model, interpreter), file, indent=1)


def describe(model: str, interpreter: Interpreter) -> dict:
    """Returns what the page must know of a network."""
    return {'name': os.path.splitext(os.path.basename(model))[0], 'size': interpreter.size,
            'image': np.dtype(interpreter.loaded.inputs[0]['dtype']).name,
            'remembers': interpreter.remembers}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, isolated from other origins; logs nothing but errors."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map,
                      '.js': 'text/javascript', '.wasm': 'application/wasm'}

    def end_headers(self) -> None:
        for name, value in {**ISOLATION, 'Cache-Control': 'no-cache'}.items():
            self.send_header(name, value)
        super().end_headers()

    def copyfile(self, source, outputfile) -> None:
        # The page may be closed or loaded again meanwhile.
        with contextlib.suppress(ConnectionError):
            super().copyfile(source, outputfile)

    def log_request(self, code: object = '-', size: object = '-') -> None:
        pass


def serve(folder: str, port: int) -> None:
    """Serves a folder on loopback until Ctrl-C."""
    handler = functools.partial(Handler, directory=folder)
    try:
        server = http.server.ThreadingHTTPServer(('127.0.0.1', port), handler)
    except OSError as error:
        raise UserError(f'--port {port}: cannot be used ({error.strerror}); choose another one')
    with server:
        print(f'http://127.0.0.1:{port}  (Ctrl-C ends it)', flush=True)
        server.serve_forever()


if __name__ == '__main__':
    cli.run(main)
