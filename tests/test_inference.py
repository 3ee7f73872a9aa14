"""From an alpha to pictures."""

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from mmnet import compositing, inference
from mmnet.datasets.synthetic import draw_portrait
from mmnet.errors import UserError

RNG = np.random.RandomState(0)


def red_channel(size):
    """A predictor whose alpha is the photo's red."""
    return inference.Predictor(size, lambda image: image[..., :1].astype(np.float32) / 255)


def test_an_alpha_has_the_photo_s_own_size():
    image = RNG.randint(0, 256, [50, 70, 3]).astype(np.uint8)
    alpha = inference.matte(red_channel(16), image)
    assert alpha.shape == (50, 70) and alpha.dtype == np.float32
    small = np.asarray(Image.fromarray(image).resize((16, 16), Image.BILINEAR))[..., 0]
    expected = Image.fromarray(small.astype(np.float32) / 255).resize((70, 50), Image.BILINEAR)
    np.testing.assert_allclose(alpha, np.asarray(expected), atol=1e-4)


def guided_filter(guide, alpha, radius, epsilon):
    """Equations 11 to 16 of He et al., "Guided Image Filtering", written down."""
    def mean(values):
        axes = [radius] * 2 + [0] * (values.ndim - 2)
        return scipy.ndimage.uniform_filter(
            values, [2 * each + 1 for each in axes], mode='mirror')

    mean_guide, mean_alpha = mean(guide), mean(alpha)
    covariance = mean(guide * alpha[..., None]) - mean_guide * mean_alpha[..., None]
    variance = (mean(guide[..., :, None] * guide[..., None, :]) -
                mean_guide[..., :, None] * mean_guide[..., None, :] + epsilon * np.eye(3))
    slope = np.linalg.solve(variance, covariance[..., None])[..., 0]
    offset = mean_alpha - (slope * mean_guide).sum(axis=-1)
    return (mean(slope) * guide).sum(axis=-1) + mean(offset)


def test_refinement_is_the_guided_filter():
    image = draw_portrait(np.random.RandomState(0), 96, 96).image
    pixels = np.round(image * 255).astype(np.uint8)
    plain, refined = (inference.matte(red_channel(48), pixels, refine) for refine in (False, True))
    radius = 2 * inference.GUIDED_RADIUS
    expected = guided_filter(pixels.astype(np.float64), plain.astype(np.float64), radius,
                             inference.GUIDED_EPSILON).clip(0, 1)
    inside = np.s_[2 * radius:-2 * radius, 2 * radius:-2 * radius]
    np.testing.assert_allclose(refined[inside], expected[inside], atol=1e-4)
    assert abs(refined - plain).max() > 0.05


def test_refinement_takes_a_photo_without_edges():
    flat = np.full([60, 40, 3], 77, np.uint8)
    np.testing.assert_allclose(inference.matte(red_channel(16), flat, True), 77 / 255, atol=1e-4)


@pytest.mark.parametrize('height, width', [(1, 1), (1, 7), (900, 3)])
def test_photos_of_any_shape(height, width):
    image = RNG.randint(0, 256, [height, width, 3]).astype(np.uint8)
    alpha = inference.matte(red_channel(16), image, refine=True)
    foreground = compositing.foreground_colours(image, alpha)
    blurred = compositing.blurred_background(image, alpha)
    assert compositing.composite(foreground, alpha, blurred).shape == image.shape
    assert compositing.cut_out(foreground, alpha).shape == (height, width, 4)


def test_backgrounds(tmp_path):
    photo, alpha = np.zeros([30, 40, 3], np.uint8), np.zeros([30, 40], np.float32)
    assert inference.parse_background('white')(photo, alpha).tolist() == [255, 255, 255]
    assert inference.parse_background('#102030')(photo, alpha).tolist() == [16, 32, 48]
    assert inference.parse_background('blur') is compositing.blurred_background
    path = str(tmp_path / 'tall.png')
    stripes = np.zeros([100, 40, 3], np.uint8)
    stripes[35:65] = 255
    Image.fromarray(stripes).save(path)
    fitted = inference.parse_background(path)(photo, alpha)
    assert fitted.shape == photo.shape and fitted.min() == 255, 'its middle, not squeezed'
    for bad in ('beach.jpg', '#12', 'rgb(0, 0, 300)', __file__):
        with pytest.raises(UserError, match='--background'):
            inference.parse_background(bad)


def test_what_is_no_network_is_named(tmp_path):
    (tmp_path / 'text.tflite').write_text('no model')
    for path, said in (('nowhere', '--model .*no such'), ('nowhere.tflite', '--model .*no such'),
                       ('text.tflite', 'text.tflite'), ('', '--model .*no checkpoint')):
        with pytest.raises(UserError, match=said):
            inference.load(str(tmp_path / path), '--model')


@pytest.mark.parametrize('image', [np.zeros([4, 4, 3]), np.zeros([4, 4], np.uint8),
                                   np.zeros([4, 4, 4], np.uint8)])
def test_only_bytes_in_three_channels_are_a_photo(image):
    with pytest.raises(ValueError, match='give uint8 RGB'):
        inference.matte(red_channel(16), image)


def test_networks_that_come_with_the_code_are_loaded_by_name():
    assert inference.load('pretrained:mmnet_dm1.0_128_float32', '--model', 'tensorflow').size == 128
