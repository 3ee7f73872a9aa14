"""GrabCut and its automatic trimap."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from mmnet import grabcut
from mmnet.errors import UserError


def test_the_trimap_is_certain_where_masks_agree():
    prior = np.array([[0.0, 0.04, 0.3, 0.5], [0.6, 0.9, 0.96, 1.0]])
    assert grabcut.prior_labels(prior).tolist() == [
        [cv2.GC_BGD, cv2.GC_BGD, cv2.GC_PR_BGD, cv2.GC_PR_BGD],
        [cv2.GC_PR_FGD, cv2.GC_PR_FGD, cv2.GC_FGD, cv2.GC_FGD]]
    # GrabCut stops without both; the likeliest pixels have to do.
    unsure = grabcut.prior_labels(np.array([[0.2, 0.3], [0.6, 0.8]]))
    assert unsure.tolist() == [[cv2.GC_BGD, cv2.GC_PR_BGD], [cv2.GC_PR_FGD, cv2.GC_FGD]]


def test_the_cut_follows_the_colours_and_not_the_trimap():
    y, x = np.mgrid[:96, :96]
    person = np.hypot(x - 52, y - 44) < 24
    noise = np.random.RandomState(0).randint(0, 40, [96, 96, 3])
    image = (np.where(person[..., None], [180, 90, 60], [30, 120, 160]) + noise).astype(np.uint8)
    prior = np.clip(1.3 - np.hypot(x - 48, y - 48) / 30, 0, 1)
    alpha = grabcut.alpha(image, grabcut.prior_labels(prior))
    assert alpha.shape == (96, 96, 1) and set(np.unique(alpha)) == {0, 1}
    assert ((prior > 0.5) == person).mean() < 0.96 < 0.99 < (alpha[..., 0] == person).mean()


@pytest.mark.parametrize('level', [0, 255])
def test_masks_that_say_nothing_are_refused(tmp_path, level):
    for kind in ('image', 'mask'):
        os.makedirs(str(tmp_path / 'train' / kind))
        Image.new('L', (32, 32), level).save(str(tmp_path / 'train' / kind / 'a.png'))
    with pytest.raises(UserError, match='train.*all the same'):
        grabcut.trimap([str(tmp_path)], 'train', 16)
