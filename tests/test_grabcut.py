"""GrabCut's automatic trimap, and the baseline and its picture as a person makes them."""

import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from mmnet import grabcut
from mmnet.data import decode
from mmnet.data.pairs import find_pairs
from mmnet.errors import UserError
from tests.conftest import run


def test_the_trimap_is_certain_where_masks_agree():
    prior = np.array([[0.0, 0.04, 0.3, 0.5], [0.6, 0.9, 0.96, 1.0]])
    assert grabcut.labels_of(prior).tolist() == [
        [cv2.GC_BGD, cv2.GC_BGD, cv2.GC_PR_BGD, cv2.GC_PR_BGD],
        [cv2.GC_PR_FGD, cv2.GC_PR_FGD, cv2.GC_FGD, cv2.GC_FGD]]
    # GrabCut stops without both; the likeliest pixels have to do.
    unsure = grabcut.labels_of(np.array([[0.2, 0.3], [0.6, 0.8]]))
    assert unsure.tolist() == [[cv2.GC_BGD, cv2.GC_PR_BGD], [cv2.GC_PR_FGD, cv2.GC_FGD]]


def test_the_cut_follows_the_colours_and_not_the_trimap():
    y, x = np.mgrid[:96, :96]
    person = np.hypot(x - 52, y - 44) < 24
    noise = np.random.RandomState(0).randint(0, 40, [96, 96, 3])
    image = (np.where(person[..., None], [180, 90, 60], [30, 120, 160]) + noise).astype(np.uint8)
    prior = np.clip(1.3 - np.hypot(x - 48, y - 48) / 30, 0, 1)
    alpha = grabcut.alpha(image, grabcut.labels_of(prior))
    assert alpha.shape == (96, 96, 1) and set(np.unique(alpha)) == {0, 1}
    assert ((prior > 0.5) == person).mean() < 0.96 < 0.99 < (alpha[..., 0] == person).mean()


def test_the_baseline_is_measured_and_shown(dataset, tmp_path):
    figures = tmp_path / 'grabcut.json'
    status, out, err = run('scripts/grabcut_baseline.py', '--dataset_path', dataset,
                           '--image_size', 64, '--json', figures)
    assert status == 0, err
    assert 'gradient error' in out and '5 images' in out
    record = json.loads(figures.read_text())
    labels = grabcut.trimap(dataset, 'train', 64)
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


@pytest.mark.parametrize('level', [0, 255])
def test_masks_that_say_nothing_are_refused(tmp_path, level):
    for kind in ('image', 'mask'):
        os.makedirs(str(tmp_path / 'train' / kind))
        Image.new('L', (32, 32), level).save(str(tmp_path / 'train' / kind / 'a.png'))
    with pytest.raises(UserError, match='train.*all over'):
        grabcut.trimap(str(tmp_path), 'train', 16)
