import dataclasses

import cv2
import numpy as np
import pytest

from mmnet.data import augment
from tests.helpers import blurred_noise


def figure(size=64, left=20, top=10, width=16, height=54):
    """A photo of a box that reaches down to the border, its values telling each pixel's place."""
    y, x = np.mgrid[:size, :size]
    alpha = np.zeros([size, size], np.uint8)
    alpha[top:top + height, left:left + width] = 255
    return np.dstack([x * (256 // size), y * (256 // size), x * 0, alpha]).astype(np.uint8)


def test_frames_run_from_the_whole_photo_to_head_and_shoulders():
    rng = np.random.RandomState(0)
    alpha = figure()[..., 3]
    frames = np.array([augment.random_frame(alpha, rng) for _ in range(2000)])
    x, y, side = frames.T
    assert (x >= 0).all() and (y >= 0).all() and (frames[:, :2] + side[:, None] <= 1 + 1e-9).all()
    # The head, the upper 35 %, is inside: columns 20 to 36, rows 10 to 29 of 64.
    assert (x <= 20 / 64).all() and (x + side >= 36 / 64 - 1e-9).all()
    assert (y <= 10 / 64).all() and (y + side >= 29 / 64 - 1e-9).all()
    # A crop is at least a quarter larger than the head, which is 19 rows high.
    assert side.max() > 0.99 and 1.25 * 19 / 64 <= side.min() < 0.4
    # Below it, the body may be cut off.
    assert (y + side < 1).mean() > 0.5
    assert augment.random_frame(np.zeros([8, 8], np.uint8), rng) == augment.WHOLE
    assert augment.random_frame(np.full([8, 8], 255, np.uint8), rng)[2] <= 1


def test_a_frame_is_shown_at_the_result_s_size():
    photo = figure(size=64)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    transform = augment.in_frame(identity, augment.Frame(0.25, 0.5, 0.5), 32, 64)
    shown = cv2.warpAffine(photo, transform, (32, 32),
                           flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    np.testing.assert_array_equal(shown, photo[32:, 16:48])
    np.testing.assert_array_equal(augment.in_frame(identity, augment.WHOLE, 64, 64), identity)
    # Half the size: each pixel is the mean of four.
    half = cv2.warpAffine(photo, augment.in_frame(identity, augment.WHOLE, 32, 64), (32, 32),
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    expected = photo.reshape(32, 2, 32, 2, 4).mean(axis=(1, 3))
    assert abs(half - expected).max() <= 1


def test_farther_away_the_whole_photo_is_in_the_frame():
    rng = np.random.RandomState(0)
    x, y, side = np.array([augment.random_zoom_out(rng) for _ in range(2000)]).T
    assert (x <= 0).all() and (y <= 0).all()
    assert (x + side >= 1).all() and (y + side >= 1).all()
    assert side.min() < 1.01 and 2.95 < side.max() <= 3
    # As many people are shown at one to two thirds as at a third to less: log-uniform.
    assert abs((side < 3 ** 0.5).mean() - 0.5) < 0.05


def test_farther_away_a_person_may_be_anywhere():
    rng = np.random.RandomState(0)
    x, y, side = np.array([augment.random_zoom_out(rng) for _ in range(2000)]).T
    places = np.stack([x, y]) / (1 - side)      # of the photo in the frame, 0 to 1
    np.testing.assert_allclose(places.mean(axis=1), 0.5, atol=0.03)
    np.testing.assert_allclose(places.std(axis=1), 1 / np.sqrt(12), atol=0.02)
    assert abs(np.corrcoef(places)[0, 1]) < 0.1


@pytest.mark.parametrize('name', ['mmnet', 'mmnet_texture'])
def test_an_enlarged_corner_shows_nothing_from_beyond_the_photo(name):
    """The first pixel's centre lies less than half a pixel from the photo's edge."""
    corner = np.array([[0.8, 0, -0.1], [0, 0.8, -0.1]])
    preset = dataclasses.replace(augment.PRESETS[name], texture=None,
                                 transform=lambda rng, size: corner)
    white = np.full([16, 16, 4], 255, np.uint8)
    images, alphas = augment.augment_batch([white], augment.Variation(preset), [None])
    assert images.min() == 255 and alphas.min() == 255


def test_people_farther_away_are_smaller_and_nothing_is_around_them():
    rng = np.random.RandomState(0)
    photo = np.dstack([figure(), np.full([64, 64, 3], 200, np.uint8)])
    backgrounds = np.full([2, 64, 64, 3], 50, np.uint8)
    variation = augment.Variation(augment.Preset(lambda rng, size: np.eye(2, 3), 0), 32,
                                  zoom_out=1.0, backgrounds=backgrounds, background_probability=1.0)
    images, alphas = augment.augment_batch([photo] * 200, variation, [rng] * 200)
    assert (images[alphas[..., 0] == 0] == 50).all()
    # The box has 864 of 4,096 pixels, so 216 of 1,024 and at least a ninth of that.
    areas = alphas.sum(axis=(1, 2, 3)) / 255
    assert 216 / 9 * 0.9 < areas.min() < 30 and 200 < areas.max() < 217
    plain = dataclasses.replace(variation, background_probability=0.0)
    _, alphas = augment.augment_batch([photo] * 5, plain, [rng] * 5)
    np.testing.assert_allclose(alphas.sum(axis=(1, 2, 3)) / 255, 216, rtol=1e-2)


def test_photos_are_halved_before_a_warp_would_skip_pixels():
    photo = blurred_noise(np.random.RandomState(0))
    assert augment.halved(photo, 1.9) is photo
    for scale, factor in ((2, 2), (3.9, 2), (4.5, 4)):
        small = augment.halved(photo, scale)
        expected = photo.reshape(64 // factor, factor, 64 // factor, factor, 3).mean(axis=(1, 3))
        assert small.shape == (64 // factor, 64 // factor, 3)
        assert abs(small - expected).max() <= 1.01
    assert augment.halved(photo[:1, :1], 8).shape == (1, 1, 3)


def test_nothing_of_the_old_background_is_left():
    rng = np.random.RandomState(0)
    photo = np.dstack([figure(), np.full([64, 64, 3], 200, np.uint8)])
    backgrounds = np.full([2, 64, 64, 3], 50, np.uint8)
    variation = augment.Variation(size=32, framing=1.0, backgrounds=backgrounds,
                                  background_probability=1.0)
    images, alphas = augment.augment_batch([photo] * 20, variation, [rng] * 20)
    assert images.shape == (20, 32, 32, 3) and alphas.shape == (20, 32, 32, 1)
    assert (images[alphas[..., 0] == 0] == 50).all(), 'the old background is gone'
    assert (images[alphas[..., 0] == 255] > 60).all()
    assert all((alpha == 255).any() for alpha in alphas)


def corners(transform, size):
    """Where the result's corners lie in the source, in pixels covered: [0, size] is inside."""
    edge = np.array([[x, y, 1] for x in (-0.5, size - 0.5) for y in (-0.5, size - 0.5)])
    return edge.dot(transform.T) + 0.5


def test_no_transform_shows_an_empty_corner():
    rng = np.random.RandomState(0)
    scales, angles, flips = [], [], []
    for _ in range(5000):
        transform = augment.mmnet_transform(rng, 64)
        assert corners(transform, 64).min() > -1e-9 and corners(transform, 64).max() < 64 + 1e-9
        linear = transform[:, :2]
        scales.append(np.linalg.norm(linear[:, 1]) ** -1)
        angles.append(np.degrees(np.arctan2(-linear[0, 1], linear[1, 1])))
        flips.append(np.linalg.det(linear) < 0)
    angles, scales = np.array(angles), np.array(scales)
    upright = angles == 0
    assert upright.mean() == pytest.approx(0.5, abs=0.03)
    assert np.mean(flips) == pytest.approx(0.5, abs=0.03)
    assert 14.5 < angles.max() <= 15 and -15 <= angles.min() < -14.5
    assert 1 <= scales[upright].min() < 1.01 and 1.14 < scales[upright].max() <= 1.15
    # A rotated image is scaled no further than its corners need.
    assert scales.max() < np.sqrt(1.5) + 1e-6


@pytest.mark.parametrize('name', sorted(augment.PRESETS))
def test_image_and_mask_stay_aligned(name):
    rng = np.random.RandomState(0)
    base = blurred_noise(rng)
    pixels = np.stack([np.dstack([base, base[..., 1]])] * 2)
    images, alphas, *untextured = augment.augment_batch(
        pixels[[0, 1] * 8], augment.Variation(augment.PRESETS[name]), [rng] * 16)
    assert bool(untextured) == (name in ('portraitnet', 'mmnet_texture'))
    untextured = untextured[0] if untextured else images
    assert images.shape == (16, 64, 64, 3) and alphas.shape == (16, 64, 64, 1)
    assert images.dtype == untextured.dtype == np.uint8
    # Outside the photo, which only PortraitNet's deformations show, there is a colour without
    # foreground.
    same = untextured[..., 1] == alphas[..., 0]
    assert same.all() if name.startswith('mmnet') else 0.6 < same.mean() < 1
    assert len(np.unique(untextured.reshape(16, -1), axis=0)) > 12


def test_the_warp_follows_its_transform():
    """Pixel values that tell their own place show where each pixel came from."""
    y, x = np.mgrid[:64, :64].astype(np.uint8)
    pixels = np.dstack([x, y, x, y])[np.newaxis]
    transform = augment.mmnet_transform(np.random.RandomState(5), 64)
    preset = dataclasses.replace(augment.PRESETS['mmnet'],
                                 transform=lambda rng, size: transform)
    images, alphas = augment.augment_batch(pixels[:1], augment.Variation(preset), [None])
    grid = np.dstack([x, y, np.ones_like(x)]).astype(float)
    expected = np.clip(grid.dot(transform.T), 0, 63)
    np.testing.assert_allclose(images[0, ..., :2], expected, atol=0.6)
    np.testing.assert_allclose(alphas[0, ..., 0], expected[..., 1], atol=0.6)


def test_portraitnets_deformations_have_its_ranges():
    rng = np.random.RandomState(0)
    scales, angles, flips, shifts = [], [], [], []
    for _ in range(5000):
        transform = augment.portraitnet_transform(rng, 64)
        linear = transform[:, :2]
        scales.append(np.linalg.norm(linear[:, 1]) ** -1)
        angles.append(np.degrees(np.arctan2(-linear[0, 1], linear[1, 1])))
        flips.append(np.linalg.det(linear) < 0)
        # Where the result's centre lies in the source.
        shifts.append((transform.dot([31.5, 31.5, 1]) - 31.5) / 64)
    for drawn, neutral, low, high in ((scales, 1, 0.5, 1.5), (angles, 0, -45, 45),
                                      (np.ravel(shifts), 0, -0.25, 0.25)):
        still = np.isclose(drawn, neutral, atol=1e-9)
        assert still.mean() == pytest.approx(0.5, abs=0.03)
        span = high - low
        assert low - 1e-9 <= np.min(drawn) < low + 0.02 * span
        assert high - 0.02 * span < np.max(drawn) <= high + 1e-9
    assert np.mean(flips) == pytest.approx(0.5, abs=0.03)


def test_what_lies_outside_a_photo_is_no_foreground():
    pixels = np.full([1, 64, 64, 4], 255, np.uint8)
    preset = dataclasses.replace(
        augment.PRESETS['portraitnet_deformation'],
        transform=lambda rng, size: np.array([[2.0, 0, -32], [0, 2.0, -32]]))
    images, alphas = augment.augment_batch(pixels[:1], augment.Variation(preset), [None])
    assert (alphas[0, 20:44, 20:44] == 255).all() and (images[0, 20:44, 20:44] == 255).all()
    assert (alphas[0, :12] == 0).all() and (images[0, :12] == (124, 117, 104)).all()


class Drawn:
    """A source of randomness whose decisions are given: which textures, and how strong."""

    def __init__(self, decisions, strengths=()):
        self.decisions, self.strengths = list(decisions), list(strengths)

    def uniform(self, low=0, high=1, size=None):
        if size is not None:
            return np.array([0.0 if self.decisions.pop(0) else 1.0 for _ in range(size)])
        if (low, high) == (0, 1):
            return 0.0 if self.decisions.pop(0) else 1.0
        self.bounds = low, high
        return self.strengths.pop(0)

    def randint(self, high):
        return 7

    def choice(self, values):
        return values[-1]


IMAGE = blurred_noise(np.random.RandomState(3)).astype(float)
GREY_OF = IMAGE.dot([0.299, 0.587, 0.114])


@pytest.mark.parametrize('which, bounds, strength, expected', [
    (2, (0.4, 1.7), 0.4, 0.4 * IMAGE + 0.6 * GREY_OF[..., None]),
    (3, (0.4, 1.7), 0.5, 0.5 * IMAGE),
    (3, (0.4, 1.7), 1.7, np.minimum(1.7 * IMAGE, 255)),
    (4, (0.6, 1.5), 0.6, 0.6 * IMAGE + 0.4 * GREY_OF.mean())])
def test_colour_brightness_and_contrast(which, bounds, strength, expected):
    rng = Drawn([each == which for each in range(6)], [strength])
    textured = augment.portraitnet_texture(IMAGE.astype(np.uint8), rng)
    assert rng.bounds == bounds and not rng.decisions
    np.testing.assert_allclose(textured, expected, atol=1.6)


def test_sharpness_moves_away_from_or_towards_a_smoothed_image():
    image = IMAGE.astype(np.uint8)
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = cv2.filter2D(IMAGE, -1, kernel)
    for strength in (0.8, 1.3):
        rng = Drawn([False] * 5 + [True], [strength])
        textured = augment.portraitnet_texture(image, rng)
        assert rng.bounds == (0.8, 1.3)
        expected = (strength * IMAGE + (1 - strength) * smooth).clip(0, 255)
        np.testing.assert_allclose(textured[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1.6)


def test_noise_and_blur():
    grey = np.full([128, 128, 3], 128, np.uint8)
    noise = augment.portraitnet_texture(grey, Drawn([True] + [False] * 5)).astype(float) - 128
    assert noise.std() == pytest.approx(10, rel=0.03) and abs(noise.mean()) < 0.2
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.03
    point = np.zeros([9, 9, 3], np.uint8)
    point[4, 4] = 255
    blurred = augment.portraitnet_texture(point, Drawn([False, True] + [False] * 4))
    assert (blurred[2:7, 2:7] > 0).all() and blurred[2:7, 2:7].sum() == blurred.sum()


def test_textures_come_one_by_one():
    rng = np.random.RandomState(0)
    image = IMAGE.astype(np.uint8)
    kept = np.mean([np.array_equal(augment.portraitnet_texture(image, rng), image)
                    for _ in range(3000)])
    # Six coins all on one side; an enhancement by nearly 1 changes nothing either.
    assert 0.5 ** 6 / 2 < kept < 0.5 ** 6 * 4


def test_framing_shows_a_part_and_crops_lie_anywhere():
    rng = np.random.RandomState(0)
    preset = augment.Preset(lambda rng, size: np.eye(2, 3), 0)
    for framing, low, high in ((0.0, 214, 218), (1.0, 400, 1024)):
        _, alphas = augment.augment_batch(
            [figure()] * 50, augment.Variation(preset, 32, framing), [rng] * 50)
        assert low < alphas.sum(axis=(1, 2, 3)).max() / 255 < high
    places = []
    for _ in range(2000):
        transform = augment.mmnet_transform(rng, 64)
        if transform[0, 1] == 0:
            side = np.linalg.norm(transform[:, 1])
            places.append((transform.dot([31.5, 31.5, 1]) - 31.5) / (32 * (1 - side)))
    # Uniform in [-1, 1], along both axes.
    assert np.abs(places).max() <= 1 + 1e-6
    np.testing.assert_allclose(np.std(places, axis=0), 1 / np.sqrt(3), atol=0.05)
