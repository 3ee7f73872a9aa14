"""What several tests share: small generated data, and running the entry points."""

import json
import os
import shutil
import socket
import subprocess
import sys
from fractions import Fraction

import cv2
import imageio_ffmpeg
import numpy as np
import tensorflow as tf
from PIL import Image

from mmnet import models, records, scores, video
from tests import forked

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LITERT = os.path.join(ROOT, '.venv-litert', 'bin', 'python')
MEDIAPIPE = os.path.join(ROOT, '.venv-mediapipe', 'bin', 'python')
HOROVODRUN = os.path.join(ROOT, '.venv', 'bin', 'horovodrun')
# The browser's driver, which setup.sh --demo --dev installs.
DEMO_PACKAGES = os.path.join(ROOT, 'scripts', 'demo', 'node_modules', 'playwright-core')
# A training that starts fast: TensorFlow's own gradients make a smaller graph, ten seconds less.
SMALL = ['--image_size', 32, '--width_multiplier', 0.5, '--batch_size', 4,
         '--save_summary_steps', 2, '--batch_norm_decay', 0.9, '--seed', 1, '--stock_gradients']
# MMNet without these starts faster, above all when it is quantized.
SMALLER_GRAPH = ['--no_enhancement', '--no_refinement', '--no_dilation']


def count_parameters(name, size, **settings):
    """The parameters of a network, built in a graph of its own."""
    with tf.Graph().as_default():
        models.build(name, tf.placeholder(tf.float32, [None, size, size, 3]), False, **settings)
        return models.graph_parameters()


def draw_pair(rng, width=72, height=96):
    """A soft-edged figure over a striped background: RGB image and alpha, uint8."""
    y, x = np.mgrid[:height, :width]
    centre, radius = width * rng.uniform(0.4, 0.6), width * rng.uniform(0.2, 0.3)
    head = np.hypot(x - centre, y - height * 0.35) - radius
    body = np.hypot((x - centre) / 1.5, y - height) - radius * 1.3
    alpha = np.clip(0.5 - np.minimum(head, body) / 3, 0, 1)
    background = 0.5 + 0.4 * np.sin(x * rng.uniform(0.1, 0.5) + y * rng.uniform(0.1, 0.5))
    colours = rng.uniform(size=(2, 3))
    image = (alpha[..., None] * colours[0] +
             (1 - alpha[..., None]) * background[..., None] * colours[1])
    return (image * 255).astype(np.uint8), np.round(alpha * 255).astype(np.uint8)


def write_split(dataset, split, count, seed=0):
    """Writes a split of `count` pairs and returns the dataset's path."""
    rng = np.random.RandomState(seed)
    folder = os.path.join(str(dataset), split)
    for kind in ('image', 'mask'):
        os.makedirs(os.path.join(folder, kind))
    for index in range(count):
        image, mask = draw_pair(rng)
        Image.fromarray(image).save(f'{folder}/image/{index:03}.jpg', quality=95)
        Image.fromarray(mask).save(f'{folder}/mask/{index:03}.png')
    return str(dataset)


def start(script, *args, **kwargs):
    """Starts an entry point of the repository, as a shell does."""
    return subprocess.Popen([sys.executable, os.path.join(ROOT, script)] + [str(a) for a in args],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            universal_newlines=True, **kwargs)


def run(script, *args):
    """Runs an entry point; returns its exit status, standard output and standard error."""
    return forked.run(os.path.join(ROOT, script), [str(each) for each in args])


def in_browser(worker, folder, given, model=None, built=None):
    """Serves the page of scripts/demo.py and runs a script of tests/ on it.

    Args:
        worker: the script's name.
        folder: for what the script reads and writes.
        given: what the script needs to know besides the page's address.
        model: the file that the page runs.
        built: a page of `demo.py --build`, in place of a model; it is served as it is.

    Returns:
        what the script found.
    """
    source, target = str(folder / 'in.json'), str(folder / 'out.json')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    if built:
        server = subprocess.Popen([sys.executable, '-u', '-m', 'http.server', str(port), '--bind',
                                   '127.0.0.1'], cwd=str(built), stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, universal_newlines=True)
    else:
        server = start('scripts/demo.py', '--model', model, '--port', port)
    try:
        server.stdout.readline()
        with open(source, 'w') as file:
            json.dump({'url': f'http://127.0.0.1:{port}/', **given}, file)
        subprocess.run([shutil.which('node'), os.path.join(ROOT, 'tests', worker), source, target],
                       check=True, timeout=120)
    finally:
        server.terminate()
        server.wait()
    with open(target) as file:
        return json.load(file)


def train(dataset, train_dir, *flags):
    flags = SMALL + list(flags)
    return run('train.py', '--dataset_path', dataset, '--train_dir', train_dir, *flags)


def evaluate(dataset, checkpoint_path, *flags):
    return run('evaluate.py', '--dataset_path', dataset, '--checkpoint_path', checkpoint_path,
               *flags)


def export_file(checkpoint, output, *flags):
    return run('export_tflite.py', '--checkpoint_path', checkpoint, '--output', output, *flags)


def records_of(train_dir, split='test'):
    """The records of a split."""
    return records.read_records(records.path_of(str(train_dir), split))


def run_in_litert(paths, inputs, scratch, resolver='default'):
    """The outputs of files in LiteRT, as real numbers."""
    source, target = str(scratch / 'in.npz'), str(scratch / 'out.npz')
    np.savez(source, inputs=inputs)
    worker = os.path.join(ROOT, 'tests', 'litert_worker.py')
    subprocess.run([LITERT, worker, source, target, resolver] + [str(path) for path in paths],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    outputs = np.load(target)
    return [outputs[str(index)] for index in range(len(paths))]


def run_here(content, inputs):
    """The outputs of a file in TensorFlow 1.15's interpreter, as they are stored."""
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    details, = interpreter.get_input_details()
    result, = interpreter.get_output_details()
    rows = []
    for row in inputs:
        interpreter.set_tensor(details['index'], row[np.newaxis].astype(details['dtype']))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(result['index'])[0])
    return np.stack(rows)


def value(tensor):
    with tf.Session() as session:
        return session.run(tensor)


def constants(*arrays):
    return [tf.constant(array, tf.float32) for array in arrays]


def moving_bar(count, width=64, height=48):
    frames = np.full([count, height, width, 3], 60, np.uint8)
    for index, frame in enumerate(frames):
        frame[:, index * 4:index * 4 + 8] = [220, 120, 40]
    return frames


def tone(path, seconds):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-f', 'lavfi', '-i',
                    'sine=frequency=440', '-t', str(seconds), str(path)], check=True)
    return str(path)


def blurred_noise(rng, size=64):
    return cv2.GaussianBlur(rng.randint(0, 256, [size, size, 3], np.uint8), (9, 9), 3)


def folder(dataset, kind, split='train'):
    return os.path.join(dataset, split, kind)


def write_video(path, frames, fps=Fraction(30000, 1001), sound=None, transparent=False):
    size = frames[0].shape[1::-1]
    with video.writing(str(path), video.Video(size, fps, None, sound, iter(())),
                       transparent) as send:
        for frame in frames:
            send(frame)


def dtssd(frames):
    """Averages the flicker of a clip's frames, pairs of α and α_gt."""
    errors = [np.float64(alpha) - alpha_gt for alpha, alpha_gt in frames]
    return np.mean([scores.flicker(*pair) for pair in zip(errors, [None, *errors])])
