"""The past that a network with a memory makes itself."""

import numpy as np
import tensorflow as tf

from mmnet import losses, previous_frame
from mmnet.data.previous import SHIFT
from mmnet.graph import build_objective
from tests.helpers import constants, value
from tests.tflite.helpers import run_of

RNG = np.random.RandomState(0)


def test_the_frame_before_is_the_image_moved(monkeypatch):
    monkeypatch.setattr(previous_frame, 'LIGHT', 0)
    monkeypatch.setattr(previous_frame, 'NOISE', 0)
    images = RNG.rand(2, 128, 128, 3).astype(np.float32)
    moved = previous_frame.frame_before(tf.constant(images))
    reach = int(round(SHIFT * 128))
    padded = np.pad(images, [(0, 0), (reach, reach), (reach, reach), (0, 0)], mode='symmetric')
    shifts = set()
    with tf.Session() as session:
        for _ in range(12):
            result = session.run(moved)
            fits = [(y, x) for y in range(2 * reach + 1) for x in range(2 * reach + 1)
                    if np.allclose(padded[:, y:y + 128, x:x + 128], result, atol=1e-6)]
            assert len(fits) == 1
            shifts.add(fits[0])
    assert len(shifts) > 3


def test_light_and_noise_are_each_photos_own():
    images = np.full([6, 64, 64, 3], 0.5, np.float32)
    seen = value(previous_frame.frame_before(tf.constant(images)))
    light, noise = seen.mean(axis=(1, 2, 3)), seen.std(axis=(1, 2, 3))
    assert np.ptp(light) > 0.005 and abs(light / 0.5 - 1).max() < 0.1 + 0.005
    assert np.ptp(noise) > 0.002 and noise.max() < 1.05 * 0.03
    bright = value(previous_frame.frame_before(tf.ones([6, 64, 64, 3])))
    assert bright.max() <= 1


def test_a_share_of_the_pasts_is_the_network_s_own():
    images = tf.constant(RNG.rand(40, 16, 16, 3), tf.float32)
    previous = tf.constant(RNG.uniform(0.5, 1, [40, 16, 16, 1]), tf.float32)
    taken = []

    def alpha(inputs):
        taken.append(inputs)
        return 0.2 * inputs[..., 3:]

    pasts = previous_frame.mix_in_own_alphas(alpha, images, previous)
    with tf.Session() as session:
        drawn = np.concatenate([session.run(pasts) for _ in range(10)])
        given = np.tile(session.run(previous), [10, 1, 1, 1])
    own = np.isclose(drawn, 0.2 * given).all(axis=(1, 2, 3))
    np.testing.assert_allclose(drawn[~own], given[~own])
    assert abs(own.mean() - 0.5) < 0.08
    assert taken[0].shape.as_list() == [40, 16, 16, 4]
    assert tf.gradients(pasts, previous) == [None]


def test_the_second_run_shares_the_variables_of_the_first():
    """And leaves batch norm's statistics to the run that learns."""
    counts = []
    for flag in ([], ['--previous_alpha']):
        settings = run_of(*flag)
        with tf.Graph().as_default():
            images, alphas = (tf.zeros([2, 32, 32, channels]) for channels in (3, 1))
            build_objective(losses.Batch(images, alphas, previous=alphas if flag else None),
                            settings, is_training=True)
            counts.append([len(tf.model_variables()), len(tf.trainable_variables()),
                           len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))])
    assert counts[0] == counts[1]


def test_the_network_s_own_past_is_of_the_frame_before(monkeypatch):
    monkeypatch.setattr(previous_frame, 'frame_before', lambda images: 1 - images)
    monkeypatch.setattr(previous_frame, 'OWN', 1.1)
    images, pasts = np.random.RandomState(0).rand(2, 4, 8, 8, 1).astype(np.float32)
    found = previous_frame.mix_in_own_alphas(lambda inputs: inputs[..., :1] * inputs[..., 3:],
                                             *constants(np.tile(images, [1, 1, 1, 3]), pasts))
    np.testing.assert_allclose(value(found), (1 - images) * pasts, rtol=1e-6)


def test_dark_frames_stay_in_range():
    assert value(previous_frame.frame_before(tf.zeros([6, 16, 16, 3]))).min() >= 0
