#!/usr/bin/env python
"""Compares a file's alphas in every installed runtime with those of its TensorFlow graph.

    compare_runtimes.py --checkpoint_path TRAIN_DIR model.tflite

The photos are drawn portraits. An 8-bit file is compared with the checkpoint that was rounded.
Milliseconds are for a photo, pixels in and alpha out, as programs use the runtime: with all cores.
"""

import os
import subprocess
import tempfile
import time
from typing import Callable, Dict, Optional

from mmnet import cli

with cli.starting():
    import numpy as np

    from mmnet import environments, pretrained
    from mmnet.errors import UserError
    from mmnet.runtime import Interpreter, is_exported_file

RUNTIMES = {'tensorflow': 'TensorFlow 1.15', 'litert': 'LiteRT, Interpreter',
            'litert_compiled': 'LiteRT, CompiledModel', 'mediapipe': 'MediaPipe'}
MEDIAPIPE = os.path.join(environments.ROOT, '.venv-mediapipe', 'bin', 'python')
# A step of 8 bits.
STEP = 1 / 255


def prepare(runtime: str, path: str) -> Callable[[np.ndarray], np.ndarray]:
    """Loads a file in a runtime of this environment.

    Returns:
        the function from uint8 RGB `[S, S, 3]` to its alpha, float32 `[S, S]`.
    """
    if runtime != 'mediapipe':
        interpreter = Interpreter(path, runtime, trusted=True)
        return lambda image: interpreter.alpha(image)[..., 0]
    import mediapipe
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.vision import ImageSegmenter, ImageSegmenterOptions
    options = ImageSegmenterOptions(base_options=BaseOptions(model_asset_path=path),
                                    output_confidence_masks=True)
    segmenter = ImageSegmenter.create_from_options(options)

    def alpha(image: np.ndarray) -> np.ndarray:
        photo = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        return np.squeeze(segmenter.segment(photo).confidence_masks[0].numpy_view()).copy()
    return alpha


def measure(runtime: str, path: str, images: np.ndarray) -> Dict[str, np.ndarray]:
    """Runs a file on images, uint8 RGB `[N, S, S, 3]`.

    Returns:
        `alphas`, float32 `[N, S, S]`, and the median `milliseconds` of an image.
    """
    run = prepare(runtime, path)
    run(images[0])
    alphas, times = [], []
    for image in images:
        start = time.perf_counter()
        alphas.append(run(image))
        times.append(1000 * (time.perf_counter() - start))
    return {'alphas': np.stack(alphas), 'milliseconds': np.median(times)}


def measure_in(runtime: str, path: str,
               images: np.ndarray) -> Optional[Dict[str, np.ndarray]]:
    """Runs `measure` in the environment that has the runtime; None if it is not set up.

    Raises:
        UserError: says why the runtime cannot run the file.
    """
    if runtime != 'mediapipe':
        if not environments.is_set_up(runtime):
            return None
        python = environments.python_of(runtime)
    elif os.path.exists(MEDIAPIPE):
        python = MEDIAPIPE
    else:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        source, target = (os.path.join(scratch, name) for name in ('images.npy', 'out.npz'))
        np.save(source, images)
        worker = subprocess.run([python, os.path.abspath(__file__), path, '--worker', runtime,
                                 source, target], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                universal_newlines=True)
        if worker.returncode:
            lines = worker.stderr.strip().split('\n')
            raise UserError(f'it crashes, signal {-worker.returncode}' if worker.returncode < 0
                            else lines[-1] or f'status {worker.returncode}')
        with np.load(target) as found:
            return dict(found)


def graph_alphas(checkpoint: str, images: np.ndarray) -> np.ndarray:
    """Runs a checkpoint's graph; returns float32 `[N, S, S]`."""
    from mmnet import restored
    predictor = restored.load(checkpoint, '--checkpoint_path')
    if predictor.size != images.shape[1]:
        raise UserError(f'--checkpoint_path {checkpoint}: takes {predictor.size} pixels a side; '
                        f'the file takes {images.shape[1]}')
    return np.stack([predictor.alpha(image)[..., 0] for image in images])


def main() -> int:
    parser = cli.Parser(__doc__.split('\n')[0])
    parser.add_argument('file', type=pretrained.find, help='a file of export_tflite.py')
    parser.add_argument('--checkpoint_path', type=pretrained.find, help='a train directory or the '
                        'checkpoint that the file was made of')
    parser.add_argument('--images', type=cli.positive(int), default=20, help='portraits to draw')
    parser.add_argument('--worker', nargs=3, help='for this script\'s own use')
    args = parser.parse_args()
    if args.worker:
        runtime, source, target = args.worker
        np.savez(target, **measure(runtime, args.file, np.load(source)))
        return 0
    if not args.checkpoint_path:
        parser.error('--checkpoint_path is required')
    if not is_exported_file(args.file):
        raise UserError(f'{args.file}: no such file; export_tflite.py writes it')
    environments.enter('tensorflow')
    from mmnet.datasets import synthetic
    images = synthetic.draw_photos(args.images, Interpreter(args.file, 'tensorflow').size)
    expected = graph_alphas(args.checkpoint_path, images)
    print(f'{args.file}\n{"runtime":24}{"largest":>10}{"mean":>10}{"over a step":>13}{"ms":>9}')
    for runtime, name in RUNTIMES.items():
        try:
            found = measure_in(runtime, args.file, images)
        except UserError as error:
            print(f'{name:24} cannot run it: {error}')
            continue
        if found is None:
            print(f'{name:24} not set up')
            continue
        errors = np.abs(found['alphas'] - expected)
        print(f'{name:24}{errors.max():10.2g}{errors.mean():10.2g}{(errors > STEP).mean():13.2%}'
              f'{found["milliseconds"]:9.2f}', flush=True)
    return 0


if __name__ == '__main__':
    cli.run(main)
