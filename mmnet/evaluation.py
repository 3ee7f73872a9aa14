"""Measures alphas on a split: every image once, at its mask's own size.

    evaluator = Evaluator(find_sets(['DATASET', 'ANOTHER'], 'test'), size=256, batch_size=32)
    record, strip = evaluator.evaluate(always_foreground)
"""

import dataclasses
import os
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Set, Tuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mmnet import checkpoints, files, losses, metrics, models, pictures, scores
from mmnet.data import decode
from mmnet.data.pairs import Pair, folder_of, report_problems
from mmnet.errors import UserError
from mmnet.graph import as_float, build_objective
from mmnet.hparams import HParams
from mmnet.records import Record, path_of, write_record, write_summaries

POLL_SECONDS = 2

# Takes images [N, S, S, 3] and alphas [N, S, S, 1], uint8. Returns alphas [N, S, S, 1] in [0, 1],
# and by name the batch's mean of whatever else it measures.
BatchPredictor = Callable[[np.ndarray, np.ndarray], Tuple[np.ndarray, Dict[str, float]]]


@dataclasses.dataclass(frozen=True)
class Example:
    """A pair as evaluation needs it, uint8.

    Attributes:
        image: `[S, S, 3]`, as the network takes it.
        alpha: `[S, S, 1]`, for the losses.
        mask: `[H, W, 1]`, in its own size, for the metrics.
    """
    image: np.ndarray
    alpha: np.ndarray
    mask: np.ndarray


class CheckpointPredictor:
    """A network that restores checkpoints, one after another."""

    def __init__(self, hparams: HParams):
        size = hparams.image_size
        with tf.Graph().as_default() as graph:
            self._images = tf.placeholder(tf.uint8, [None, size, size, 3])
            self._alphas_gt = tf.placeholder(tf.uint8, [None, size, size, 1])
            batch = losses.Batch(as_float(self._images), as_float(self._alphas_gt))
            objective = build_objective(batch, hparams, is_training=False)
            self._losses = {'loss/' + name: term for name, term in
                            [*objective.terms.items(), ('total', objective.total)]}
            self._predicted = losses.foreground_alpha(objective.logits)
            self.parameters = models.graph_parameters()
            self._saver = checkpoints.saver(hparams.training.ema_decay is not None)
        self._session = _session(graph)

    def restore(self, checkpoint: str) -> None:
        """Loads a checkpoint's variables.

        Raises:
            UserError: if the checkpoint cannot be read or belongs to another network.
        """
        checkpoints.restore(self._saver, self._session, checkpoint)

    def predict(self, images: np.ndarray,
                alphas_gt: np.ndarray) -> Tuple[np.ndarray, Dict[str, float]]:
        """Runs the restored checkpoint, as a `BatchPredictor`."""
        return self._session.run(
            [self._predicted, self._losses],
            {self._images: images, self._alphas_gt: alphas_gt})


class Evaluator:
    """The splits of one or more data sets, and the graph of their metrics.

    Args:
        sets: pairs by the name of their data set.
        size: side of the square that the network takes.
        batch_size: images at a time.
        skip_bad_pairs: go on without files that cannot be decoded.
        all_metrics: compute the `scores` of other papers, too.
    """

    def __init__(self, sets: Mapping[str, List[Pair]], size: int, batch_size: int,
                 skip_bad_pairs: bool = False, all_metrics: bool = False):
        self._sets = sets
        self._batch_size = batch_size
        self._skip_bad_pairs = skip_bad_pairs
        self._all_metrics = all_metrics
        pairs = [pair for found in sets.values() for pair in found]
        self._strip_indices: Set[int] = set(
            np.linspace(0, len(pairs) - 1, pictures.STRIP_EXAMPLES).astype(int))
        with tf.Graph().as_default() as graph:
            self._build(pairs, size)
        self._session = _session(graph)

    def _build(self, pairs: List[Pair], size: int) -> None:
        self._next = tf.data.make_initializable_iterator(_examples(pairs, size))
        self._example = self._next.get_next()

        self._alpha = tf.placeholder(tf.float32, [1, size, size, 1])
        self._mask = tf.placeholder(tf.uint8, [1, None, None, 1])
        mask = as_float(self._mask)
        alpha = metrics.resize_alpha(self._alpha, tf.shape(mask)[1], tf.shape(mask)[2])
        self._resized = alpha[0, ..., 0]
        self._metrics = {
            'gradient_error': metrics.gradient_error(alpha, mask)[0],
            'mad': metrics.mean_absolute_difference(alpha, mask)[0],
            'mean_iou': metrics.intersection_over_union(alpha, mask)[0],
            'mean_edge_iou': metrics.edge_intersection_over_union(alpha, mask)[0]}

        self._images = tf.placeholder(tf.uint8, [None, size, size, 3])
        self._alphas = tf.placeholder(tf.float32, [None, size, size, 1])
        self._alphas_gt = tf.placeholder(tf.uint8, [None, size, size, 1])
        self._strip = tf.summary.image('examples', pictures.strip(
            as_float(self._images), self._alphas, as_float(self._alphas_gt)), max_outputs=1)

    def evaluate(self, predict: BatchPredictor) -> Tuple[Record, bytes]:
        """Runs a predictor over all data sets.

        Returns:
            the means over all images by name, and a picture strip as a serialized summary. If
            there are several data sets, `sets` has the means of each by its name.

        Raises:
            UserError: for files that cannot be decoded, unless they are skipped.
        """
        rows: Dict[str, List[Dict[str, float]]] = {name: [] for name in self._sets}
        strip: List[Tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for name, batch in self._batches():
            images = np.stack([example.image for _, example in batch])
            alphas_gt = np.stack([example.alpha for _, example in batch])
            alphas, means = predict(images, alphas_gt)
            for (index, example), alpha in zip(batch, alphas):
                rows[name].append({**means, **self._measure(alpha, example.mask)})
                if index in self._strip_indices:
                    strip.append((example.image, alpha, example.alpha))
        record = _means([row for each in rows.values() for row in each])
        if len(rows) > 1:
            record['sets'] = {name: _means(each) for name, each in rows.items()}
        return record, self._draw(strip)

    def _measure(self, alpha: np.ndarray, mask: np.ndarray) -> Dict[str, float]:
        """Measures the alpha of an image by name."""
        values, resized = self._session.run([self._metrics, self._resized], {
            self._alpha: alpha[np.newaxis], self._mask: mask[np.newaxis]})
        others = scores.scores(resized, mask[..., 0] / 255) if self._all_metrics else {}
        return {**others, **{name: float(value) for name, value in values.items()}}

    def _batches(self) -> Iterator[Tuple[str, List[Tuple[int, Example]]]]:
        """Yields the name of a data set and a batch of it; a set's last one may be smaller."""
        self._session.run(self._next.initializer)
        progress = tqdm(total=sum(map(len, self._sets.values())), desc='evaluating',
                        unit=' images', leave=False, disable=not sys.stderr.isatty())
        for name, pairs in self._sets.items():
            batch: List[Tuple[int, Example]] = []
            problems: List[str] = []
            for _ in pairs:
                image, alpha, mask, problem = self._session.run(self._example)
                if problem:
                    problems.append(problem.decode())
                else:
                    batch.append((progress.n, Example(image, alpha, mask)))
                progress.update()
                if len(batch) == self._batch_size:
                    yield name, batch
                    batch = []
            if batch:
                yield name, batch
            report_problems(problems, len(pairs) - len(problems), folder_of(pairs),
                            self._skip_bad_pairs)
        progress.close()

    def _draw(self, strip: List[Tuple[np.ndarray, np.ndarray, np.ndarray]]) -> bytes:
        if not strip:
            return b''
        images, alphas, alphas_gt = (np.stack(column) for column in zip(*strip))
        return self._session.run(self._strip, {
            self._images: images, self._alphas: alphas, self._alphas_gt: alphas_gt})


def _means(rows: List[Dict[str, float]]) -> Record:
    """Averages the values of images by name, and counts the images."""
    return {**scores.mean_scores(rows), 'images': len(rows)}


def _session(graph: tf.Graph) -> tf.Session:
    # Training may be running on the same GPU: take only the memory that is needed.
    return tf.Session(graph=graph, config=tf.ConfigProto(
        gpu_options=tf.GPUOptions(allow_growth=True)))


def _examples(pairs: List[Pair], size: int) -> tf.data.Dataset:
    """Decodes the pairs in order and in parallel; a problem takes the place of bad pixels."""
    def read(index: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray, bytes]:
        path: Any = pairs[index].image
        try:
            image = decode.read_image(path, size)
            path = pairs[index].mask
            mask = decode.read_mask(path)
            alpha = decode.resize_mask(mask, size)
            return image, alpha[..., np.newaxis], mask[..., np.newaxis], b''
        except decode.UNREADABLE as error:
            empty = np.zeros([1, 1, 1], np.uint8)
            return empty, empty, empty, f'{path}: cannot be decoded ({error})'.encode()

    return tf.data.Dataset.range(len(pairs)).map(
        lambda index: tf.numpy_function(read, [index], [tf.uint8] * 3 + [tf.string]),
        num_parallel_calls=os.cpu_count()).prefetch(8)


def image_by_image(alpha: Callable[[np.ndarray], np.ndarray]) -> BatchPredictor:
    """Makes a `BatchPredictor` of a function from an image `[S, S, 3]` to its alpha `[S, S, 1]`."""
    def predict(images: np.ndarray, _) -> Tuple[np.ndarray, Dict[str, float]]:
        return np.stack([alpha(image) for image in images]), {}

    return predict


def always_foreground(images: np.ndarray, _) -> Tuple[np.ndarray, Dict[str, float]]:
    """Predicts the baseline, alpha = 1 everywhere, as a `BatchPredictor`."""
    return np.ones(images.shape[:3] + (1,), np.float32), {}


def evaluate_checkpoint(evaluator: Evaluator, network: CheckpointPredictor, checkpoint: str,
                        split: str) -> Record:
    """Measures a checkpoint, writes its record and summaries, and keeps it if it is the best.

    Training may delete the checkpoint at any moment, so all work is done on a copy.

    Returns:
        the record, as `eval_<split>.jsonl` holds it.

    Raises:
        FileNotFoundError: if training deleted the checkpoint before it could be copied.
        UserError: if the checkpoint cannot be restored or the split cannot be read.
    """
    train_dir = os.path.dirname(checkpoint) or '.'
    with tempfile.TemporaryDirectory() as scratch:
        copy = checkpoints.copy(checkpoint, scratch)
        network.restore(copy)
        scores, strip = evaluator.evaluate(network.predict)
        record: Record = {'global_step': checkpoints.step_of(checkpoint), 'split': split, **scores,
                          'parameters': network.parameters}
        summary_dir = os.path.join(train_dir, 'eval_' + split)
        if not os.path.isdir(train_dir):
            raise UserError(f'{train_dir}: was deleted while its checkpoint was evaluated')
        # Another evaluation may be running beside this one.
        with files.locked(summary_dir):
            write_record(path_of(train_dir, split), record)
            write_summaries(summary_dir, record, strip)
            # best/ holds scores already; it does not get a best/ of its own.
            if not os.path.exists(os.path.join(train_dir, checkpoints.SCORES)):
                record['best'] = checkpoints.keep_best(copy, train_dir, record)
    return record


def watch(train_dir: str, done: List[int], timeout: Optional[float]) -> Iterator[str]:
    """Yields every checkpoint of a training as it appears, oldest first.

    Names on standard error the checkpoints that training deleted before their turn.

    Args:
        train_dir: the train directory.
        done: steps that need no evaluation any more.
        timeout: seconds to wait for a new checkpoint; None waits for ever.

    Raises:
        UserError: if the directory is deleted.
    """
    handled, waiting_since = set(done), time.time()
    while True:
        if not os.path.isdir(train_dir):
            raise UserError(f'{train_dir}: was deleted; there is nothing left to evaluate')
        saved = checkpoints.saved_steps(train_dir)
        known = {checkpoints.step_of(path): path for path in checkpoints.listed(train_dir)}
        for step in sorted({*saved, *known} - handled):
            handled.add(step)
            path = known.get(step, os.path.join(train_dir, f'model.ckpt-{step}'))
            if checkpoints.exists(path):
                yield path
                # The list is old by now; look again.
                waiting_since = time.time()
                break
            print(f'step {step}: training has deleted this checkpoint before it could be '
                  f'evaluated; raise --keep_checkpoint_max there', file=sys.stderr)
        else:
            if timeout is not None and time.time() - waiting_since > timeout:
                return
            time.sleep(POLL_SECONDS)


def wait_for_file(path: str, timeout: Optional[float]) -> bool:
    """Waits until a file exists, at most `timeout` seconds; returns whether it does."""
    start = time.time()
    while not os.path.exists(path):
        if timeout is not None and time.time() - start > timeout:
            return False
        time.sleep(POLL_SECONDS)
    return True
