"""MODNet's losses by other means."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import tensorflow as tf

from mmnet import losses
from mmnet.losses import modnet as own
from tests.helpers import constants, value

RNG = np.random.RandomState(0)


def figure(size=64):
    """A disk with a soft edge, `[1, size, size, 1]`."""
    y, x = np.mgrid[:size, :size]
    disk = np.clip((size * 0.3 - np.hypot(x - size * 0.5, y - size * 0.45)) / 3 + 0.5, 0, 1)
    return disk[np.newaxis, ..., np.newaxis]


def test_semantic_loss_by_hand():
    mask, target = constants([[[[0.5], [1.0]]]], [[[[0.1], [1.0]]]])
    assert value(own.semantic_loss(mask, target)) == pytest.approx(0.16 / 2 / 2)


def test_the_semantic_target_is_a_blurred_thumbnail():
    alpha = figure()
    small = alpha[0, ..., 0].reshape(4, 16, 4, 16).mean(axis=(1, 3))
    expected = scipy.ndimage.gaussian_filter(small, 0.8, mode='reflect', truncate=1.25)
    thumbnail = value(own.thumbnail(*constants(alpha)))
    assert thumbnail.shape == (1, 4, 4, 1)
    np.testing.assert_allclose(thumbnail[0, ..., 0], expected, atol=1e-6)


@pytest.mark.parametrize('size, window', [(64, 5), (256, 13)])
def test_the_unknown_region_is_between_dilation_and_erosion(size, window):
    """Its width is 5 % of the photo's side."""
    alpha = figure(size)
    dilated = scipy.ndimage.grey_dilation(alpha[0, ..., 0], size=(window, window))
    eroded = scipy.ndimage.grey_erosion(alpha[0, ..., 0], size=(window, window))
    unknown = value(own.unknown_region(*constants(alpha)))[0, ..., 0]
    np.testing.assert_array_equal(unknown, (dilated > 0.1) & (eroded < 0.9))
    assert 0.02 < unknown.mean() < 0.3
    # A mask stored as JPEG is nowhere quite 0 or 1.
    noisy = np.clip(alpha + RNG.uniform(-0.02, 0.02, alpha.shape), 0, 1)
    assert abs(value(own.unknown_region(*constants(noisy))).mean() - unknown.mean()) < 0.03


def test_detail_and_matte_losses():
    detail, alpha, alpha_gt = RNG.rand(3, 2, 6, 5, 1)
    unknown = (RNG.rand(2, 6, 5, 1) > 0.5).astype(float)
    images = RNG.rand(2, 6, 5, 3)
    assert value(own.detail_loss(*constants(detail, alpha_gt, unknown))) == \
        pytest.approx(np.mean(np.abs(detail - alpha_gt)[unknown > 0]) * unknown.mean(), rel=1e-5)
    expected = np.mean(np.abs(alpha - alpha_gt)) + np.mean(np.abs(images * (alpha - alpha_gt)))
    assert value(own.matte_loss(*constants(images, alpha, alpha_gt))) == \
        pytest.approx(expected, rel=1e-5)


def fake_network(seed, size=64):
    """Logits and end points of the right shapes that depend on the photos."""
    rng = np.random.RandomState(seed)
    weights = constants(*rng.normal(size=[3, 3, 1]))

    def run(images):
        logit, semantic, detail = (tf.tensordot(images, each, 1) for each in weights)
        return (tf.pad(logit, [[0, 0], [0, 0], [0, 0], [1, 0]]),
                {'semantic': semantic[:, ::16, ::16], 'detail': detail})

    def numbers(images):
        logit, semantic, detail = (scipy.special.expit(np.tensordot(images, value(each), 1))
                                   for each in weights)
        return logit, semantic[:, ::16, ::16], detail
    return run, numbers


@pytest.mark.parametrize('weights', [(), (2.0, 3.0, 5.0)])
def test_the_objective_has_the_article_s_weights_or_those_of_the_flags(weights):
    images, alpha = RNG.rand(1, 64, 64, 3), figure()
    run, _ = fake_network(1)
    result = own.objective(run, losses.Batch(*constants(images, alpha)), own.Weights(*weights))
    terms, total = value([dict(result.terms), result.total])
    assert total == pytest.approx(np.dot(weights or (1, 10, 1), [
        terms[name] for name in ('semantic', 'detail', 'matte')]), rel=1e-5)


def test_consistency_compares_the_branches_and_the_frozen_copy():
    images = RNG.rand(1, 64, 64, 3)
    run, numbers = fake_network(1)
    frozen, frozen_numbers = fake_network(2)
    result = own.consistency(run, frozen, losses.Batch(constants(images)[0], None))
    alpha, semantic, detail = numbers(images)
    unknown = value(own.unknown_region(*constants(alpha > 0.5)))
    thumbnail = value(own.thumbnail(*constants(alpha)))
    expected = {
        'semantic_consistency': np.mean((semantic - thumbnail) ** 2) / 2,
        'detail_consistency': np.mean(unknown * np.abs(detail - alpha)),
        'detail_kept': np.mean(unknown * np.abs(detail - frozen_numbers(images)[2]))}
    terms, total = value([dict(result.terms), result.total])
    assert terms == pytest.approx(expected, rel=1e-4)
    assert total == pytest.approx(sum(expected.values()), rel=1e-4)
    np.testing.assert_allclose(value(result.reference), frozen_numbers(images)[0], atol=1e-6)


def test_the_terms_of_the_objective():
    images, truth = np.random.RandomState(0).rand(1, 64, 64, 3), figure()
    run, numbers = fake_network(1)
    terms = value(dict(own.objective(
        run, losses.Batch(*constants(images, truth)), own.Weights()).terms))
    alpha, semantic, detail = numbers(images)
    small = truth[0, ..., 0].reshape(4, 16, 4, 16).mean(axis=(1, 3))
    thumbnail = scipy.ndimage.gaussian_filter(small, 0.8, mode='reflect', truncate=1.25)
    unknown = ((scipy.ndimage.grey_dilation(truth[0, ..., 0], size=(5, 5)) > 0.1) &
               (scipy.ndimage.grey_erosion(truth[0, ..., 0], size=(5, 5)) < 0.9))
    assert terms == pytest.approx({
        'semantic': np.mean((semantic[0, ..., 0] - thumbnail) ** 2) / 2,
        'detail': np.mean(unknown * np.abs(detail - truth)[0, ..., 0]),
        'matte': np.abs(alpha - truth).mean() + np.abs(images * (alpha - truth)).mean()}, rel=1e-4)


def test_consistency_moves_the_matte_too():
    images, = constants(np.random.RandomState(0).rand(1, 64, 64, 3))
    run, _ = fake_network(1)
    seen = []

    def noted(pixels):
        seen.append(run(pixels))
        return seen[-1]
    terms = own.consistency(noted, fake_network(2)[0], losses.Batch(images, None)).terms
    logits, points = seen[0]
    for name, tensors in (('semantic_consistency', [logits, points['semantic']]),
                          ('detail_consistency', [logits, points['detail']])):
        assert None not in tf.gradients(terms[name], tensors), name
