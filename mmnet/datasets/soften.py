"""Soft alphas from hard masks: a trimap around the mask's edge, solved by closed-form matting.

PyMatting solves the trimap.
"""

import cv2
import numpy as np
from pymatting import estimate_alpha_cf

# Half the width of the unknown band, as a share of the longer side, and its least in pixels.
BAND = 0.012
LEAST = 2
# Longer masks are solved at this length and enlarged: the time grows with the area.
LONGEST = 800


def make_trimap(mask: np.ndarray) -> np.ndarray:
    """Makes a trimap: the band around the mask's edge is unknown, and so is what was soft.

    Args:
        mask: uint8 `[H, W]`.

    Returns:
        float64 `[H, W]`: 0 background, 1 foreground, 0.5 unknown.
    """
    radius = max(LEAST, int(round(BAND * max(mask.shape))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # Beyond the photo's border, the mask goes on as it is.
    foreground, background = (cv2.erode(each.astype(np.uint8), kernel,
                                        borderType=cv2.BORDER_REPLICATE)
                              for each in (mask > 247, mask < 8))
    trimap = np.full(mask.shape, 0.5)
    trimap[foreground > 0], trimap[background > 0] = 1, 0
    return trimap


def soften(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Computes a soft alpha within the band around a hard mask's edge.

    Args:
        image: uint8 RGB `[H', W', 3]`, of the mask's aspect ratio.
        mask: uint8 `[H, W]`.

    Returns:
        uint8 `[H, W]`. A mask without an edge, or without certain pixels, stays as it is.
    """
    height, width = mask.shape
    scale = min(1, LONGEST / max(height, width))
    size = (max(1, int(round(width * scale))), max(1, int(round(height * scale))))
    trimap = make_trimap(cv2.resize(mask, size, interpolation=cv2.INTER_AREA))
    if not {0, 0.5, 1} <= set(np.unique(trimap)):
        return mask
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) / 255
    alpha = estimate_alpha_cf(small, trimap).clip(0, 1).astype(np.float32)
    return np.round(255 * cv2.resize(alpha, (width, height))).clip(0, 255).astype(np.uint8)
