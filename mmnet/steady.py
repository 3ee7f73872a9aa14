"""Steadies the mattes of a video: each alpha is blended with the last one, moved along the picture.

    predictor = steadied(following(inference.load('model.tflite', '--model')))  # one for each video
    for image in video.images:
        alpha = inference.matte(predictor, image)

A network that sees single frames flickers, mostly where it is uncertain. There, the last alpha
counts most, as long as the picture itself says that nothing has changed. Then the alpha is
sharpened along the picture's edges, which flicker less than the network's. Works for any network.
"""

import functools
from typing import Optional, Tuple

import cv2
import numpy as np

from mmnet.inference import sharpened
from mmnet.runtime import Predictor

# The share of the last alpha where the network is uncertain and the picture is unchanged. More
# helps little. On twenty clips of training photos, 0.97 leaves 0.627 of dtSSD, 0.99 leaves 0.625,
# and 0.97 without sharpening 0.724. The network and the linear interpolation are of commit 2482a17.
MEMORY = 0.97
# Where the network is certain, the last alpha has this share of the above. It errs there, too. On
# ten of the clips, with the network of commit 3a6a78d, 0.8 leaves 0.660, this 0.653 and 0.95 0.649.
# But with 0.95, a mistake that the network has corrected stays for half a second.
CERTAIN = 0.9
# Colour differences, in steps of 255, at which the moved picture stops being the same. At 13, 0.623
# of the twenty clips' dtSSD is left, but a textured disc that moves has twice the error around it.
SAME_COLOUR = 8.0
# If less than this share of the picture is the same, there was a cut.
CONTINUED = 0.5
# The window over which colours are compared, in pixels of the network.
WINDOW = (5, 5)
# Flow is estimated down to 1 / 2^this of the network's size. With the preset's own 2, 0.632 of the
# twenty clips' dtSSD is left.
FINEST_SCALE = 1


def steadied(predictor: Predictor) -> Predictor:
    """Makes a predictor that remembers the frame before; use one for each video."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(FINEST_SCALE)
    # The last image and its steadied alpha, not sharpened: that would blur it over the frames.
    last: Optional[Tuple[np.ndarray, np.ndarray]] = None

    def alpha(image: np.ndarray) -> np.ndarray:
        nonlocal last
        new = predictor.alpha(image)[..., 0]
        if last is not None:
            new = blend(new, *moved(flow, image, *last))
        last = image, new
        return sharpened(new, image, predictor.size)[..., np.newaxis]
    return Predictor(predictor.size, alpha)


def moved(flow: cv2.DISOpticalFlow, image: np.ndarray, last_image: np.ndarray,
          last_alpha: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Moves the last alpha to where its picture is now.

    Args:
        flow: estimates the motion between two grey images.
        image, last_image: uint8 RGB `[S, S, 3]`.
        last_alpha: float32 `[S, S]` in [0, 1].

    Returns:
        the moved alpha, float32 `[S, S]`, and how far the moved picture is from the new one, in
        steps of 255, float32 `[S, S]`.
    """
    grey, last_grey = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (image, last_image))
    # Where each pixel was in the last frame.
    places = flow.calc(grey, last_grey, None)
    height, width = grey.shape
    places += np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    # Linear interpolation would blur the alpha a little with every frame that passes.
    alpha, picture = (cv2.remap(each, places, None, cv2.INTER_CUBIC,
                                borderMode=cv2.BORDER_REPLICATE)
                      for each in (last_alpha, last_image))
    # Noise cancels out in the mean over a window. The largest of the channels counts: a change of
    # colour alone is a change, too.
    difference = cv2.blur(cv2.subtract(picture, image, dtype=cv2.CV_32F), WINDOW)
    return alpha.clip(0, 1), functools.reduce(cv2.max, cv2.split(np.abs(difference)))


def blend(alpha: np.ndarray, last_alpha: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Blends a new alpha with the last one by how certain the new one is.

    Args:
        alpha, last_alpha: float32 `[S, S]` in [0, 1]; the last one as `moved` returns it.
        difference: of the pictures, as `moved` returns it.

    Returns:
        float32 `[S, S]`. After a cut, it is the new alpha.
    """
    same = np.exp(-np.square(difference / SAME_COLOUR))
    if same.mean() < CONTINUED:
        return alpha
    certainty = np.abs(2 * alpha - 1)
    share = MEMORY * (1 - (1 - CERTAIN) * certainty) * same
    return alpha + share * (last_alpha - alpha)
