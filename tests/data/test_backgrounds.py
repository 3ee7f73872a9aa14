"""New backgrounds: Equation 1, light that fits, scenes without their people."""

import numpy as np

from mmnet.data import backgrounds

RNG = np.random.RandomState(0)


def photo(size=32):
    """A bright box and its alpha, `[S, S, 4]`: F knows nothing of the scene behind."""
    alpha = np.zeros([size, size], np.uint8)
    alpha[8:, 10:22] = 255
    alpha[8, 10:22] = 128
    foreground = np.full([size, size, 3], [200, 180, 160], np.uint8)
    scene = np.full([size, size, 3], 40, np.uint8)
    share = alpha[..., None] / 255
    image = np.round(share * foreground + (1 - share) * scene).astype(np.uint8)
    return np.dstack([image, alpha, foreground])


def test_the_person_stays_and_the_background_is_new():
    source = photo()
    scenes = RNG.randint(90, 110, [3, 48, 48, 3]).astype(np.uint8)
    person = np.ascontiguousarray(source[..., [4, 5, 6, 3]])
    result = backgrounds.replace_background(person, scenes, np.random.RandomState(1))
    assert result.shape == (32, 32, 4) and result.dtype == np.uint8
    np.testing.assert_array_equal(result[..., 3], source[..., 3])
    behind = result[source[..., 3] == 0][:, :3]
    assert behind.min() >= 90 and behind.max() < 110
    # One colour covers the person; its soft row is half way to the background.
    person, = np.unique(result[source[..., 3] == 255][:, :3], axis=0)
    soft = result[8, 10:22, :3].astype(float)
    assert abs(soft - (128 / 255 * person + 127 / 255 * 100)).max() < 8


def test_light_moves_towards_the_background_s():
    source = photo()
    foreground, alpha = source[..., 4:], source[..., 3]
    dark = np.full([32, 32, 3], [20, 20, 100], np.uint8)
    same = backgrounds.fit_light(foreground, alpha, dark, 0)
    np.testing.assert_array_equal(same, foreground)
    fitted = backgrounds.fit_light(foreground, alpha, dark, 0.5)[0, 0]
    expected = [value * max(0.6, ((other + 32) / (value + 32)) ** 0.5)
                for value, other in zip((200, 180, 160), (20, 20, 100))]
    assert abs(fitted - np.round(expected)).max() <= 1
    nobody = np.zeros([32, 32], np.uint8)
    np.testing.assert_array_equal(
        backgrounds.fit_light(foreground, nobody, dark, 1), foreground)


def test_views_are_parts_of_the_picture():
    y, x = np.mgrid[:64, :64]
    picture = np.dstack([x * 4, y * 4, x * 0]).astype(np.uint8)
    mirrored = []
    for seed in range(50):
        view = backgrounds.random_view(picture, 48, np.random.RandomState(seed)).astype(int)
        assert view.shape == (48, 48, 3)
        mirrored.append(view[0, 0, 0] > view[0, -1, 0])
        assert abs(view[:, -1, 0] - view[:, 0, 0]).min() >= 4 * 30
        assert (view[-1, :, 1] > view[0, :, 1]).all()
    assert 10 < sum(mirrored) < 40


def test_nothing_of_the_person_is_left_in_the_empty_scene():
    source = photo()
    empty = backgrounds.empty_scene(source[..., :4])
    assert empty.shape == (32, 32, 3) and empty.max() <= 60
    far = np.ones([32, 32], bool)
    far[4:, 6:26] = False
    np.testing.assert_array_equal(empty[far], source[..., :3][far])
    everywhere = np.dstack([source[..., :3], np.full([32, 32], 255, np.uint8)])
    assert backgrounds.empty_scene(everywhere).shape == (32, 32, 3)


def test_colours_fit_by_the_persons_mean_within_the_factors():
    foreground, alpha = np.full([4, 8, 3], 250, np.uint8), np.zeros([4, 8], np.uint8)
    foreground[:, :4], alpha[:, :4] = 100, 255
    behind = np.full([4, 8, 3], 200, np.uint8)
    found = backgrounds.fit_light(foreground, alpha, behind, 0.5)
    assert abs(int(found[0, 0, 0]) - 100 * np.sqrt((200 + 32) / (100 + 32))) <= 0.51
    dark = np.full([4, 8, 3], 10, np.uint8)
    assert (backgrounds.fit_light(dark, alpha, behind, 1) == 16).all(), 'no more than 1.6 times'


def test_light_and_view_vary():
    person = np.dstack([np.full([8, 8, 3], 200, np.uint8), np.full([8, 8], 255, np.uint8)])
    scenes = np.full([1, 8, 8, 3], 20, np.uint8)
    seen = [backgrounds.replace_background(person, scenes, np.random.RandomState(seed))[0, 0, 0]
            for seed in range(50)]
    assert 120 <= min(seen) < 135 and 190 < max(seen) <= 200
    picture = np.tile(np.arange(64, dtype=np.uint8)[:, None], [1, 64])
    picture = np.dstack([picture, picture.T, picture])
    views = [backgrounds.random_view(picture, 32, np.random.RandomState(seed)).astype(int)
             for seed in range(50)]
    for channel in (0, 1):
        ends = [(view[..., channel].min(), view[..., channel].max()) for view in views]
        assert max(low for low, _ in ends) > 15 and min(high - low for low, high in ends) < 40


def test_people_are_put_on_any_of_the_scenes():
    nobody = np.zeros([8, 8, 4], np.uint8)
    scenes = np.stack([np.full([8, 8, 3], 60 * index, np.uint8) for index in range(4)])
    seen = {backgrounds.replace_background(nobody, scenes, np.random.RandomState(seed))[0, 0, 0]
            for seed in range(40)}
    assert seen == {0, 60, 120, 180}
