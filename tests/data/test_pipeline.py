import numpy as np
import pytest
import tensorflow as tf

from mmnet.data import pipeline, previous
from mmnet.data.augment import PRESETS, Variation
from mmnet.workers import Ranks


def batches(pixels, count, **kwargs):
    """The first batches of one data set, or of a list of them."""
    sets = pixels if isinstance(pixels, list) else [pixels]
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(
            pipeline.training_dataset(sets, **kwargs))
        following = iterator.get_next()
        with tf.Session() as session:
            session.run(iterator.initializer)
            return [session.run(following) for _ in range(count)]


def numbered(count):
    """Images that are their own index all over, so that no warp changes them."""
    return np.tile(np.arange(count, dtype=np.uint8)[:, None, None, None], [1, 16, 16, 4])


def test_every_epoch_holds_each_image_once():
    seen = [int(image[0, 0, 0])
            for features, _ in batches(numbered(12), 9, batch_size=4)
            for image in features['images']]
    for epoch in range(3):
        assert sorted(seen[12 * epoch:12 * (epoch + 1)]) == list(range(12))
    assert seen[:12] != seen[12:24]


def drawn(sets, count, **kwargs):
    return [int(image[0, 0, 0]) for features, _ in batches(sets, count, **kwargs)
            for image in features['images']]


def test_several_sets_are_a_union():
    parts = [numbered(12)[:3], numbered(12)[3:4], numbered(12)[4:]]
    assert drawn(parts, 6, batch_size=4, seed=1) == drawn(numbered(12), 6, batch_size=4, seed=1)


def test_weights_make_a_mixture():
    parts = [numbered(12)[:2], numbered(12)[2:]]
    seen = np.array(drawn(parts, 50, batch_size=20, seed=1, weights=(3, 1)))
    assert (seen < 2).mean() == pytest.approx(0.75, abs=0.05)
    # Within a set, every epoch still holds each image once.
    for numbers, low, high in ((seen[seen < 2], 0, 2), (seen[seen >= 2], 2, 12)):
        for start in range(0, len(numbers) - (high - low), high - low):
            assert sorted(numbers[start:start + high - low]) == list(range(low, high))
    assert drawn(parts, 5, batch_size=4, seed=1, weights=(1, 1)) == drawn(
        parts, 5, batch_size=4, seed=1, weights=(2, 2))


def test_batches_run_on_across_epochs():
    features, alphas = batches(np.full([2, 16, 16, 4], 255, np.uint8), 1, batch_size=5)[0]
    images, = features.values()
    assert images.shape == (5, 16, 16, 3) and alphas.shape == (5, 16, 16, 1)
    assert images.dtype == alphas.dtype == np.uint8


def test_texture_presets_keep_the_images_as_they_were():
    pixels = np.random.RandomState(0).randint(0, 256, [6, 16, 16, 4]).astype(np.uint8)
    plain, textured = (
        batches(pixels, 1, batch_size=6, seed=1, variation=Variation(PRESETS[name]))[0][0]
        for name in ('mmnet', 'mmnet_texture'))
    assert set(plain) == {'images'} and set(textured) == {'images', 'untextured'}
    # The first image is deformed before anything else is drawn.
    np.testing.assert_array_equal(plain['images'][0], textured['untextured'][0])
    assert (textured['images'] != textured['untextured']).any()


def test_a_seed_makes_batches_reproducible():
    pixels = np.random.RandomState(0).randint(0, 256, [6, 16, 16, 4]).astype(np.uint8)

    def stack(**kwargs):
        return np.stack([features['images']
                         for features, _ in batches(pixels, 6, batch_size=4, **kwargs)])
    np.testing.assert_array_equal(stack(seed=1), stack(seed=1))
    textured = [stack(seed=1, variation=Variation(PRESETS['portraitnet'])) for _ in range(2)]
    np.testing.assert_array_equal(*textured)
    assert (stack(seed=1) != stack(seed=2)).any()
    assert (stack(seed=1) != stack(seed=1, first_step=6)).any()


def test_two_ranks_see_what_one_sees_of_the_whole_batch():
    pixels = np.random.RandomState(0).randint(0, 256, [12, 16, 16, 4]).astype(np.uint8)
    for weights in (None, (3, 1)):
        sets = [pixels[:7], pixels[7:]]
        options = dict(seed=3, weights=weights, variation=Variation(previous=True))
        whole = batches(sets, 4, batch_size=4, **options)
        parts = [batches(sets, 4, batch_size=2, ranks=Ranks(rank, 2), **options)
                 for rank in (0, 1)]
        for (features, alphas), *halves in zip(whole, *parts):
            assert features['previous'].shape == (4, 16, 16, 1)
            for name in ('images', 'previous'):
                np.testing.assert_array_equal(features[name], np.concatenate(
                    [half[0][name] for half in halves]))
            np.testing.assert_array_equal(alphas, np.concatenate([half[1] for half in halves]))


def test_every_place_of_every_batch_has_a_transform_of_its_own():
    """With a single photo, only the transforms differ."""
    pixels = np.random.RandomState(0).randint(0, 256, [1, 16, 16, 4]).astype(np.uint8)
    seen = np.concatenate([features['images'] for features, _ in
                           batches(pixels, 3, batch_size=4, seed=1)])
    assert len(np.unique(seen.reshape(12, -1), axis=0)) == 12


def test_another_photo_s_past_is_the_alpha_of_the_photo_before(monkeypatch):
    for name, share in (('EMPTY', 0), ('OTHER', 1), ('DAMAGE', 0)):
        monkeypatch.setattr(previous, name, share)
    pixels = np.tile(np.arange(8, dtype=np.uint8)[:, None, None, None], [1, 16, 16, 4])
    pixels[..., 3] += 100
    (features, _), = batches(pixels, 1, batch_size=4, seed=1, variation=Variation(previous=True))
    numbers = features['images'][:, 0, 0, 0]
    np.testing.assert_array_equal(features['previous'], np.broadcast_to(
        100 + np.roll(numbers, 1)[:, None, None, None], [4, 16, 16, 1]))
