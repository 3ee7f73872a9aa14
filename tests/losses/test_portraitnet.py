"""PortraitNet's losses by other means, and the parts of its objective."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from mmnet import losses
from mmnet.losses import portraitnet as own
from tests.helpers import constants, value

RNG = np.random.RandomState(0)
LOGITS, OTHERS = RNG.normal(0, 2, [2, 2, 6, 5, 2])
ALPHAS = RNG.rand(2, 6, 5, 1)
P = scipy.special.softmax(LOGITS, axis=-1)[..., 1:]


def test_boundary_loss_is_finite_for_extreme_logits():
    logits = tf.constant([[[[-50.0, 50.0], [50.0, -50.0]]]])
    loss = own.boundary_loss(logits, tf.constant([[[[0.0], [1.0]]]]), gamma=0.5)
    assert value(loss) == pytest.approx(100)
    assert np.isfinite(value(tf.gradients(loss, logits)[0])).all()


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_boundary_loss_is_equation_2(gamma):
    y = (ALPHAS > 0.7).astype(float)
    expected = -np.mean((1 - P) ** gamma * y * np.log(P) +
                        P ** gamma * (1 - y) * np.log(1 - P))
    assert value(own.boundary_loss(*constants(LOGITS, y), gamma=gamma)) == \
        pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('temperature', [1.0, 3.0])
def test_consistency_loss_is_the_divergence_of_the_softmaxes(temperature):
    q, other = (scipy.special.softmax(z / temperature, axis=-1) for z in (LOGITS, OTHERS))
    expected = np.mean(scipy.stats.entropy(q, other, axis=-1)) * temperature ** 2
    cleaner, textured = constants(LOGITS, OTHERS)
    loss = own.consistency_loss(cleaner, textured, temperature)
    assert value(loss) == pytest.approx(expected, rel=1e-4)
    # The cleaner side teaches and does not learn.
    to_cleaner, to_textured = tf.gradients(loss, [cleaner, textured])
    assert to_cleaner is None and np.abs(value(to_textured)).max() > 0


@pytest.mark.parametrize('size', [224, 448])
def test_boundaries_are_four_pixels_wide_at_224(size):
    y, x = np.mgrid[:size, :size]
    disk = np.clip(size * 0.3 - np.hypot(x - size / 2, y - size / 2) + 0.5, 0, 1)
    alphas = np.stack([disk, np.zeros_like(disk)])[..., np.newaxis].astype(np.float32)
    boundaries = own.draw_boundaries(alphas)
    assert boundaries.shape == alphas.shape and set(np.unique(boundaries)) == {0, 1}
    assert not boundaries[1].any()
    # Its area over its length, 2πr.
    width = boundaries[0].sum() / (2 * np.pi * 0.3 * size)
    assert width == pytest.approx(4 * size / 224, rel=0.25)
    distance = np.abs(np.hypot(x - size / 2, y - size / 2) - size * 0.3)
    assert distance[boundaries[0, ..., 0] == 1].max() < 4 * size / 224
    with tf.Session() as session:
        np.testing.assert_array_equal(
            session.run(own.boundary_target(tf.constant(alphas))), boundaries)


def objective(boundary_head=True, untextured=True, **settings):
    """An objective on a network that is a 1×1 convolution, its parts and how often it ran."""
    images, cleaner = RNG.rand(2, 2, 32, 32, 3)
    alphas = (RNG.rand(2, 32, 32, 1) > 0.5).astype(float)
    weights = constants(RNG.normal(size=[3, 2]), RNG.normal(size=[3, 2]))
    ran = []

    def run(pixels):
        ran.append(pixels.shape[0].value)
        logits, boundary = (tf.tensordot(pixels, each, 1) for each in weights)
        return logits, {'aux_logits': boundary} if boundary_head else {}

    arrays = constants(images, alphas, cleaner)
    batch = losses.Batch(*arrays if untextured else arrays[:2])
    result = own.objective(run, batch, own.Weights(**settings))
    logits, terms, total = value([result.logits, dict(result.terms), result.total])
    logits_of = [np.tensordot(each, value(weights[0]), 1) for each in (images, cleaner)]
    np.testing.assert_allclose(logits, logits_of[0], atol=1e-5)
    return terms, total, ran, logits_of, alphas


def cross_entropy(logits, alphas):
    return -np.mean(np.log(scipy.special.softmax(logits, axis=-1)) *
                    np.concatenate([1 - alphas, alphas], axis=-1)) * 2


def test_the_whole_objective_is_equation_13():
    terms, total, ran, both, alphas = objective()
    assert ran == [4] and set(terms) == {'mask', 'cleaner_mask', 'consistency', 'boundary'}
    for name, logits in zip(('mask', 'cleaner_mask'), both):
        assert terms[name] == pytest.approx(cross_entropy(logits, alphas), rel=1e-4)
    assert total == pytest.approx(terms['mask'] + terms['cleaner_mask'] +
                                  2 * terms['consistency'] + 0.3 * terms['boundary'], rel=1e-5)
    terms, total, *_ = objective(consistency_loss_weight=5.0, boundary_loss_weight=0.7)
    assert total == pytest.approx(terms['mask'] + terms['cleaner_mask'] +
                                  5 * terms['consistency'] + 0.7 * terms['boundary'], rel=1e-5)


@pytest.mark.parametrize('settings, names', [
    ({'boundary_head': False, 'consistency_loss_weight': 0.0}, {'mask'}),
    ({'boundary_loss_weight': 0.1, 'consistency_loss_weight': 0.0}, {'mask', 'boundary'}),
    ({'boundary_head': False}, {'mask', 'cleaner_mask', 'consistency'}),
    ({'untextured': False}, {'mask', 'boundary'})])
def test_parts_that_are_switched_off_are_no_terms(settings, names):
    """PortraitNet-M, -B, -C, and evaluation, which has one image alone."""
    terms, total, ran, both, alphas = objective(**settings)
    assert set(terms) == names
    weights = {'mask': 1, 'cleaner_mask': 1, 'consistency': 2,
               'boundary': settings.get('boundary_loss_weight', 0.3)}
    assert total == pytest.approx(sum(weights[name] * terms[name] for name in names), rel=1e-5)
    if 'consistency' not in names:
        assert ran == [2]
        assert terms['mask'] == pytest.approx(cross_entropy(both[0], alphas), rel=1e-4)


def test_the_terms_of_the_objective():
    rng = np.random.RandomState(0)
    images, cleaner = rng.rand(2, 2, 32, 32, 3)
    alphas = (rng.rand(2, 32, 32, 1) > 0.5).astype(np.float32)
    mask, edge = rng.normal(size=[2, 3, 2])
    weights = constants(mask, edge)

    def run(pixels):
        logits, boundary = (tf.tensordot(pixels, each, 1) for each in weights)
        return logits, {'aux_logits': boundary}
    terms = value(dict(own.objective(run, losses.Batch(*constants(images, alphas, cleaner)),
                                     own.Weights(temperature=3.0, focal_gamma=0.5)).terms))
    # The image before the change of texture teaches.
    q, other = (scipy.special.softmax(each.dot(mask) / 3, axis=-1) for each in (cleaner, images))
    assert terms['consistency'] == pytest.approx(
        9 * scipy.stats.entropy(q, other, axis=-1).mean(), rel=1e-3)
    p = scipy.special.softmax(np.concatenate([images, cleaner]).dot(edge), axis=-1)[..., 1:]
    y = np.concatenate([own.draw_boundaries(alphas)] * 2)
    assert terms['boundary'] == pytest.approx(-np.mean(
        (1 - p) ** 0.5 * y * np.log(p) + p ** 0.5 * (1 - y) * np.log(1 - p)), rel=1e-4)
