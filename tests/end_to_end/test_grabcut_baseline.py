"""scripts/grabcut_baseline.py as a person runs it."""

import json

import cv2
import numpy as np
import pytest

from mmnet import grabcut
from mmnet.data import decode
from mmnet.data.pairs import find_pairs
from tests.helpers import run

pytestmark = pytest.mark.slow


def test_the_baseline_is_measured_and_shown(dataset, tmp_path):
    figures = tmp_path / 'grabcut.json'
    status, out, err = run('scripts/grabcut_baseline.py', '--dataset_path', dataset,
                           '--image_size', 64, '--json', figures)
    assert status == 0, err
    assert 'gradient error' in out and '5 images' in out
    record = json.loads(figures.read_text())
    labels = grabcut.trimap([dataset], 'train', 64)
    errors = []
    for pair in find_pairs(dataset, 'test'):
        truth = decode.read_mask(pair.mask) / 255
        alpha = grabcut.alpha(decode.read_image(pair.image, 64), labels)
        errors.append(np.abs(cv2.resize(alpha, truth.shape[::-1]) - truth).mean())
    assert abs(record['mad'] - np.mean(errors)) < 1e-3
    assert record['images'] == 5 and 0 <= record['mean_edge_iou'] <= 1


def test_a_missing_split_is_named(dataset):
    status, _, err = run('scripts/grabcut_baseline.py', '--dataset_path', dataset,
                         '--trimap_split_name', 'val')
    assert status == 1 and 'val/image' in err and err.count('\n') == 1
