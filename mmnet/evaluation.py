"""Measures alphas on a split: every image once, at its mask's own size.

    evaluator = Evaluator(find_sets(['DATASET', 'ANOTHER'], 'test'), size=256, batch_size=32)
    record, strip = evaluator.evaluate(always_foreground)
"""

import dataclasses
import os
from multiprocessing.pool import ThreadPool
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Set, Tuple, Union

import cv2
import numpy as np
from tqdm import tqdm

from mmnet import scores
from mmnet.data import decode
from mmnet.data.pairs import Pair, folder_of, report_problems
from mmnet.errors import UserError
from mmnet.records import Record

# Rows of a picture strip.
STRIP_EXAMPLES = 4

# Alphas [N, S, S, 1] in [0, 1], and the batch's mean losses by name.
Predicted = Tuple[np.ndarray, Dict[str, float]]
# Takes images [N, S, S, 3] and true alphas [N, S, S, 1], uint8.
BatchPredictor = Callable[[np.ndarray, np.ndarray], Predicted]
# Also takes the alphas that the network has given for the images, as their past.
PastPredictor = Callable[[np.ndarray, np.ndarray, np.ndarray], Predicted]


@dataclasses.dataclass(frozen=True)
class Example:
    """A pair as evaluation needs it, uint8.

    Attributes:
        image: `[S, S, 3]`, as the network takes it.
        alpha: `[S, S, 1]`, for the losses.
        mask: `[H, W]`, in its own size, for the metrics.
    """
    image: np.ndarray
    alpha: np.ndarray
    mask: np.ndarray


# An example and the network's alpha for it, `[S, S, 1]` in [0, 1].
Shown = Tuple[Example, np.ndarray]
# What was measured on each image, by the name of its data set.
Rows = Dict[str, List[Dict[str, float]]]


class Evaluator:
    """The splits of one or more data sets, and their metrics.

    Args:
        sets: pairs by the name of their data set.
        size: side of the square that the network takes.
        batch_size: images at a time.
        skip_bad_pairs: skip files that cannot be decoded.
        all_metrics: compute the `scores` of other papers, too.
        moving: whether the only set is a clip; dtSSD is computed, too.
    """

    def __init__(self, sets: Mapping[str, List[Pair]], size: int, batch_size: int,
                 skip_bad_pairs: bool = False, all_metrics: bool = False, moving: bool = False):
        self._sets = sets
        self._size = size
        self._batch_size = batch_size
        self._skip_bad_pairs = skip_bad_pairs
        self._all_metrics = all_metrics
        self._moving = moving
        count = sum(map(len, sets.values()))
        self._strip_indices: Set[int] = set(
            np.linspace(0, count - 1, STRIP_EXAMPLES).astype(int))

    def evaluate(self, predict: BatchPredictor,
                 predict_with_past: Optional[PastPredictor] = None
                 ) -> Tuple[Record, List[Shown]]:
        """Runs a predictor over all data sets.

        Args:
            predict: the predictor.
            predict_with_past: for a network with a memory, its second run on the same images; see
                `with_own_past`.

        Returns:
            the means over all images by name, and the examples of a picture strip, evenly spread.
            If there are several data sets, `sets` has the means of each by its name. `own_past` has
            the means of `predict_with_past`.

        Raises:
            UserError: for files that cannot be decoded, unless they are skipped.
        """
        rows: Rows = {name: [] for name in self._sets}
        rows_own_past: Rows = {name: [] for name in self._sets}
        strip: List[Shown] = []
        # Of a clip's last frame.
        last_error: Optional[np.ndarray] = None
        for name, batch in self._batches():
            images = np.stack([example.image for _, example in batch])
            alphas_gt = np.stack([example.alpha for _, example in batch])
            alphas, means = predict(images, alphas_gt)
            for (index, example), alpha in zip(batch, alphas):
                row, error = self._measure(alpha, example)
                # Each image gets its batch's losses: a smaller last batch then counts less.
                rows[name].append({**means, **row})
                if self._moving:
                    if last_error is not None and last_error.shape != error.shape:
                        raise UserError(f'{name}: its frames differ in size; give all frames of a '
                                        f'clip the same one')
                    rows[name][-1]['dtssd'] = scores.flicker(error, last_error)
                    last_error = error
                if index in self._strip_indices:
                    strip.append((example, alpha))
            if predict_with_past:
                alphas, means = predict_with_past(images, alphas_gt, alphas)
                rows_own_past[name] += [{**means, **self._measure(alpha, example)[0]}
                                        for (_, example), alpha in zip(batch, alphas)]
        record = _means_of_sets(rows)
        if predict_with_past:
            record['own_past'] = _means_of_sets(rows_own_past)
        return record, strip

    def _measure(self, alpha: np.ndarray, example: Example) -> Tuple[Dict[str, float], np.ndarray]:
        """Measures an alpha `[S, S, 1]` by name, at its mask's size; also returns its error."""
        truth = example.mask / 255
        # Pixels are areas, as they were when the photo was resized.
        enlarged = cv2.resize(np.float64(alpha), truth.shape[::-1])
        found = scores.scores(enlarged, truth) if self._all_metrics else {
            'gradient_error': scores.gradient_error(enlarged, truth),
            'mad': scores.mad(enlarged, truth)}
        return {**found, 'mean_iou': scores.iou(enlarged, truth),
                'mean_edge_iou': scores.edge_iou(enlarged, truth)}, enlarged - truth

    def _batches(self) -> Iterator[Tuple[str, List[Tuple[int, Example]]]]:
        """Yields the name of a data set and a batch of it; a set's last one may be smaller."""
        with ThreadPool(os.cpu_count()) as pool, tqdm(
                total=sum(map(len, self._sets.values())), desc='evaluating', unit=' images',
                leave=False, disable=None) as progress:
            # A bar that is disabled does not count.
            index = 0
            for name, pairs in self._sets.items():
                problems: List[str] = []
                for start in range(0, len(pairs), self._batch_size):
                    batch: List[Tuple[int, Example]] = []
                    for read in pool.map(self._read, pairs[start:start + self._batch_size]):
                        if isinstance(read, str):
                            problems.append(read)
                        else:
                            batch.append((index, read))
                        index += 1
                        progress.update()
                    if batch:
                        yield name, batch
                report_problems(problems, len(pairs) - len(problems), folder_of(pairs),
                                self._skip_bad_pairs)

    def _read(self, pair: Pair) -> Union[Example, str]:
        """Decodes a pair; returns the problem as text if it cannot be decoded."""
        try:
            image = decode.checked(decode.read_image, pair.image, self._size)
            mask = decode.checked(decode.read_mask, pair.mask or '')
        except UserError as error:
            return str(error)
        return Example(image, decode.resize_mask(mask, self._size)[..., np.newaxis], mask)


def evaluate_clips(clips: Mapping[str, List[Pair]], size: int,
                   make_alpha: Callable[[], Callable[[np.ndarray], np.ndarray]],
                   all_metrics: bool = False, skip_bad_pairs: bool = False) -> Record:
    """Measures a network on clips, each from its first frame to its last.

    Args:
        clips: frames by clip, as returned by `find_clips`.
        size: side of the square that the network takes.
        make_alpha: makes the function from an image to its alpha, anew for each clip: it may
            remember frames.
        all_metrics, skip_bad_pairs: see `Evaluator`. The frames around a skipped one count as
            consecutive.

    Returns:
        the means over clips of their means over frames, and in `sets` those of each clip.
    """
    found = {name: Evaluator({name: frames}, size, 1, skip_bad_pairs, all_metrics, moving=True)
             .evaluate(image_by_image(make_alpha()))[0]
             for name, frames in tqdm(clips.items(), desc='evaluating', unit=' clips', leave=False,
                                      disable=None)}
    return {**scores.mean_scores(found.values()),
            'images': sum(each['images'] for each in found.values()), 'sets': found}


def _means_of_sets(rows: Rows) -> Record:
    """Averages over all images; if there are several data sets, also over those of each."""
    record = _means([row for each in rows.values() for row in each])
    if len(rows) > 1:
        record['sets'] = {name: _means(each) for name, each in rows.items()}
    return record


def _means(rows: List[Dict[str, float]]) -> Record:
    """Averages the values of images by name, and counts the images."""
    return {**scores.mean_scores(rows), 'images': len(rows)}


def image_by_image(alpha: Callable[[np.ndarray], np.ndarray]) -> BatchPredictor:
    """Makes a `BatchPredictor` from a function of an image `[S, S, 3]` to an alpha `[S, S, 1]`."""
    def predict(images: np.ndarray, _) -> Predicted:
        return np.stack([alpha(image) for image in images]), {}

    return predict


def with_own_past(alpha: Callable[..., np.ndarray]) -> PastPredictor:
    """Makes a `PastPredictor` from a function of an image and its previous alpha."""
    def predict(images: np.ndarray, _, own: np.ndarray) -> Predicted:
        return np.stack([alpha(image, past) for image, past in zip(images, own)]), {}

    return predict


def always_foreground(images: np.ndarray, _) -> Predicted:
    """Predicts the baseline, alpha = 1 everywhere, as a `BatchPredictor`."""
    return np.ones(images.shape[:3] + (1,), np.float32), {}
