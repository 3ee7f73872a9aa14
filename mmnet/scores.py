"""Scores of mattes in the conventions of several papers, in NumPy.

    scores(alpha, alpha_gt)['sad']
    flicker(error, before)

A matte is `[H, W]`, float in [0, 1], at the ground truth's own size. Nothing is multiplied for
print. `CONVENTIONS` says what each value is: those of two conventions cannot be compared.
"""

from typing import Dict, Iterable, List, Mapping, Optional, Tuple

import cv2
import numpy as np

# The filters of both gradients: σ = 1.4 on 9×9 pixels.
SIGMA = 1.4
RADIUS = 4
# Levels at which the connectivity error looks for components, and the step that it overlooks.
LEVELS = np.arange(1, 11) / 10
CONNECTED = 0.15
# Radius of the transition band in pixels, where a trimap has none.
BAND = 10

# PortraitNet's Table 2, first row: σ of the distance from the boundary, 3 pixels of 224.
EDGE_SIGMA = 3 / 224

CONVENTIONS = {
    'sad': 'Σ|α − α_gt| ÷ 1000 (Deep Image Matting)',
    'mse': 'mean (α − α_gt)² (Deep Image Matting)',
    'mad': 'mean |α − α_gt| (MMNet\'s Equation 12; RVM)',
    'grad': 'Σ(|∇α| − |∇α_gt|)² ÷ 1000, each matte stretched to [0, 1] (Rhemann 2009)',
    'conn': 'Σ|φ(α) − φ(α_gt)| ÷ 1000, largest 4-connected components (Rhemann 2009)',
    'sad_band': 'SAD in the transition band only',
    'mse_band': 'MSE in the transition band only',
    'dtssd': '100 √(mean of squared errors of frame differences) (RVM)',
    'gradient_error': 'mean |∇(α − α_gt)| without padding (MMNet\'s Equation 11)',
    'iou': 'intersection over union of α > 0.5 (PortraitNet\'s Equation 10)',
}


def conventions(names: Iterable[str], band: float = BAND) -> Dict[str, str]:
    """Says what each of the scores among `names` is; `band` is the radius of the band in pixels."""
    width = f', {band:g} pixels wide to each side'
    return {name: text + width if name.endswith('_band') else text
            for name, text in CONVENTIONS.items() if name in names}


def scores(alpha: np.ndarray, alpha_gt: np.ndarray, band: float = BAND) -> Dict[str, float]:
    """Computes all scores of a matte but dtSSD.

    Args:
        alpha, alpha_gt: `[H, W]` in [0, 1].
        band: radius of the transition band in pixels.

    Returns:
        a value for each key of `CONVENTIONS` except `dtssd`. `sad_band` and `mse_band` are NaN
        where the ground truth has no transition.
    """
    alpha, alpha_gt = np.float64(alpha), np.float64(alpha_gt)
    unknown = transition_band(alpha_gt, band)
    empty = not unknown.any()
    return {
        'sad': sad(alpha, alpha_gt), 'mse': mse(alpha, alpha_gt), 'mad': mad(alpha, alpha_gt),
        'grad': grad(alpha, alpha_gt), 'conn': conn(alpha, alpha_gt),
        'sad_band': np.nan if empty else sad(alpha[unknown], alpha_gt[unknown]),
        'mse_band': np.nan if empty else mse(alpha[unknown], alpha_gt[unknown]),
        'gradient_error': gradient_error(alpha, alpha_gt), 'iou': iou(alpha, alpha_gt)}


def mean_scores(rows: Iterable[Mapping[str, Optional[float]]]) -> Dict[str, Optional[float]]:
    """Averages scores by name.

    A truth without a transition has no `*_band` score: NaN in a row, None in a row of means. Both
    are left out, and a mean without values is None. Any other NaN is the alpha's fault, and stays.
    """
    values: Dict[str, List[float]] = {}
    for row in rows:
        for name, value in row.items():
            there = values.setdefault(name, [])
            if value is not None and not (name.endswith('_band') and np.isnan(value)):
                there.append(value)
    return {name: float(np.mean(each)) if each else None for name, each in values.items()}


def sad(alpha: np.ndarray, alpha_gt: np.ndarray) -> float:
    """Computes Σ|α − α_gt| ÷ 1000."""
    return float(np.abs(alpha - alpha_gt).sum() / 1000)


def mse(alpha: np.ndarray, alpha_gt: np.ndarray) -> float:
    """Computes the mean of (α − α_gt)²."""
    return float(np.square(alpha - alpha_gt).mean())


def mad(alpha: np.ndarray, alpha_gt: np.ndarray) -> float:
    """Computes the mean of |α − α_gt| (Equation 12)."""
    return float(np.abs(alpha - alpha_gt).mean())


def iou(alpha: np.ndarray, alpha_gt: np.ndarray) -> float:
    """Computes the IOU of the foregrounds α > 0.5; 1 where both are empty."""
    union = ((alpha > 0.5) | (alpha_gt > 0.5)).sum()
    return float(((alpha > 0.5) & (alpha_gt > 0.5)).sum() / union) if union else 1.0


def edge_iou(alpha: np.ndarray, alpha_gt: np.ndarray, sigma: float = EDGE_SIGMA) -> float:
    """Computes the IOU weighted by `edge_weights` (PortraitNet's Equation 11).

    The weights are 0 outside the ground truth, so a foreground predicted there does not count.
    The value is 1 where there is no boundary.

    Args:
        alpha, alpha_gt: `[H, W]`.
        sigma: see `edge_weights`.
    """
    weights = edge_weights(alpha_gt, sigma)
    whole = weights.sum()
    return float(weights[alpha > 0.5].sum() / whole) if whole else 1.0


def edge_weights(alpha_gt: np.ndarray, sigma: float) -> np.ndarray:
    """Computes exp(−dis²/2σ²) in the foreground α_gt > 0.5, 0 outside (PortraitNet's Equation 12).

    dis is the distance to the nearest background pixel.

    Args:
        alpha_gt: `[H, W]` in [0, 1].
        sigma: as a share of √(HW), the side of a square image.

    Returns:
        float64 `[H, W]`.
    """
    foreground, weights = alpha_gt > 0.5, np.zeros(alpha_gt.shape)
    if not foreground.all():
        distance = cv2.distanceTransform(foreground.astype(np.uint8), cv2.DIST_L2,
                                         cv2.DIST_MASK_PRECISE)[foreground]
        weights[foreground] = np.exp(-distance ** 2 / (2 * sigma ** 2 * alpha_gt.size))
    return weights


def gaussian_derivative() -> Tuple[np.ndarray, np.ndarray]:
    """Returns a Gaussian, σ = 1.4, and minus its first derivative: `[9]` each, at −4 … 4.

    MMNet prints a variance of 1.4; the matting benchmark that it follows has σ = 1.4.
    """
    x = np.arange(-RADIUS, RADIUS + 1)
    gaussian = np.exp(-x ** 2 / (2 * SIGMA ** 2))
    gaussian /= gaussian.sum()
    return gaussian, x / SIGMA ** 2 * gaussian


def gradient_error(alpha: np.ndarray, alpha_gt: np.ndarray) -> float:
    """Computes the mean L2 norm of ∇α − ∇α_gt (Equation 11).

    There is no padding: the four pixels nearest to each border drop out.
    """
    inner = slice(RADIUS, -RADIUS)
    x, y = _gradient(alpha - alpha_gt)
    return float(np.hypot(x, y)[inner, inner].mean())


def grad(alpha: np.ndarray, alpha_gt: np.ndarray) -> float:
    """Computes Σ(|∇α| − |∇α_gt|)² ÷ 1000 of mattes that are stretched to [0, 1] first.

    The filters have an L2 norm of 1, and borders are replicated.
    """
    gaussian, derivative = gaussian_derivative()
    norm = np.linalg.norm(np.outer(gaussian, derivative))
    steepness, steepness_gt = (np.hypot(*_gradient(_stretched(each))) / norm
                               for each in (alpha, alpha_gt))
    return float(np.square(steepness - steepness_gt).sum() / 1000)


def conn(alpha: np.ndarray, alpha_gt: np.ndarray) -> float:
    """Computes the connectivity error Σ|φ(α) − φ(α_gt)| ÷ 1000.

    At each level, the pixels that both mattes have form components, and the largest 4-connected
    one counts. A pixel's l is the last level before it first drops out. φ(α) is 1 − (α − l) where α
    exceeds l by 0.15 or more, and 1 elsewhere.
    """
    level = np.zeros(alpha.shape)
    inside = np.ones(alpha.shape, bool)
    for threshold in LEVELS:
        inside &= _largest_component((alpha >= threshold) & (alpha_gt >= threshold))
        level[inside] = threshold

    def phi(matte: np.ndarray) -> np.ndarray:
        above = matte - level
        return 1 - above * (above >= CONNECTED)
    return float(np.abs(phi(alpha) - phi(alpha_gt)).sum() / 1000)


def transition_band(alpha_gt: np.ndarray, radius: float) -> np.ndarray:
    """Finds the pixels within a radius of 0 < α_gt < 1 or of an edge of α_gt.

    Args:
        alpha_gt: `[H, W]` in [0, 1].
        radius: in pixels.

    Returns:
        bool `[H, W]`.
    """
    foreground = alpha_gt >= 0.5
    transition = (alpha_gt > 0) & (alpha_gt < 1)
    across, down = foreground[:, 1:] != foreground[:, :-1], foreground[1:] != foreground[:-1]
    transition[:, 1:] |= across
    transition[:, :-1] |= across
    transition[1:] |= down
    transition[:-1] |= down
    if not transition.any():
        return transition
    distance = cv2.distanceTransform((~transition).astype(np.uint8), cv2.DIST_L2,
                                     cv2.DIST_MASK_PRECISE)
    return distance <= radius


def flicker(error: np.ndarray, before: Optional[np.ndarray]) -> float:
    """Computes a frame's dtSSD, a measure of flicker; the first frame of a clip counts as 0.

    Args:
        error, before: α − α_gt of the frame and of the one before, `[H, W]`. The change of the
            error is (αₜ − αₜ₋₁) − (gₜ − gₜ₋₁).
    """
    return 0.0 if before is None else 100 * float(np.sqrt(np.square(error - before).mean()))


def _gradient(matte: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    gaussian, derivative = gaussian_derivative()

    def filtered(kernel_x: np.ndarray, kernel_y: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(matte, cv2.CV_64F, kernel_x, kernel_y,
                               borderType=cv2.BORDER_REPLICATE)
    return filtered(derivative, gaussian), filtered(gaussian, derivative)


def _stretched(matte: np.ndarray) -> np.ndarray:
    low, high = matte.min(), matte.max()
    return (matte - low) / (high - low) if high > low else np.zeros_like(matte)


def _largest_component(mask: np.ndarray) -> np.ndarray:
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4)
    if count == 1:
        return mask
    # Label 0 is the background.
    return labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax()
