"""Small generated datasets."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pytest_collection_modifyitems(items):
    """The longest first, so that no worker ends up alone with it."""
    items.sort(key=lambda item: 'test_quickstart' not in item.nodeid)


@pytest.fixture(autouse=True)
def graph():
    """A new graph for every test, whose random weights are the same in every run."""
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(0)
        yield graph


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


@pytest.fixture
def dataset(tmp_path):
    """A dataset of 10 training and 5 test pairs."""
    write_split(tmp_path / 'dataset', 'train', 10)
    return write_split(tmp_path / 'dataset', 'test', 5, seed=1)


def start(script, *args, **kwargs):
    """Starts an entry point of the repository."""
    return subprocess.Popen([sys.executable, os.path.join(ROOT, script)] + [str(a) for a in args],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            universal_newlines=True, **kwargs)


def run(script, *args):
    """Runs an entry point; returns its exit status, standard output and standard error."""
    process = start(script, *args)
    out, err = process.communicate()
    return process.returncode, out, err
