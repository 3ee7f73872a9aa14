"""Measures alphas on a split: every image once, at its mask's own size."""

import json
import os
import sys
import tempfile
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mmnet import checkpoints, files, losses, metrics, models, pictures
from mmnet.data import decode
from mmnet.data.pairs import UNREADABLE, Pair, folder_of, report_problems
from mmnet.data.pipeline import as_float
from mmnet.errors import UserError
from mmnet.training import STRIP_EXAMPLES, build_objective

POLL_SECONDS = 2


class Example(NamedTuple):
    """One pair as evaluation needs it, uint8."""
    image: np.ndarray        # [S, S, 3], as the network takes it
    alpha: np.ndarray        # [S, S, 1], for the losses
    mask: np.ndarray         # [H, W, 1], its own size, for the metrics


# Takes images [N, S, S, 3] and alphas [N, S, S, 1], uint8; returns alphas [N, S, S, 1] in [0, 1]
# and the means over the batch of whatever else is measured, by name.
Predictor = Callable[[np.ndarray, np.ndarray], Tuple[np.ndarray, Dict[str, float]]]


class Checkpoints:
    """A network to restore checkpoints into, one after another."""

    def __init__(self, hparams: Dict[str, Any]):
        size = hparams['image_size']
        with tf.Graph().as_default() as graph:
            self._images = tf.placeholder(tf.uint8, [None, size, size, 3])
            self._alphas_gt = tf.placeholder(tf.uint8, [None, size, size, 1])
            batch = losses.Batch(as_float(self._images), as_float(self._alphas_gt))
            objective = build_objective(batch, hparams, is_training=False)
            terms = list(objective.terms.items()) + [('total', objective.total)]
            self._losses = OrderedDict(('loss/' + name, term) for name, term in terms)
            self._predicted = losses.foreground_alpha(objective.logits)
            self.parameters = models.graph_parameters()
            self._saver = checkpoints.saver()
        self._session = _session(graph)

    def restore(self, checkpoint: str) -> None:
        """Loads a checkpoint's variables.

        Raises:
            UserError: if it cannot be read or belongs to another network.
        """
        checkpoints.restore(self._saver, self._session, checkpoint)

    def predict(self, images: np.ndarray,
                alphas_gt: np.ndarray) -> Tuple[np.ndarray, Dict[str, float]]:
        """The restored checkpoint as a `Predictor`."""
        return self._session.run(
            [self._predicted, self._losses],
            {self._images: images, self._alphas_gt: alphas_gt})


class Evaluator:
    """Holds a split and what is measured on it."""

    def __init__(self, pairs: List[Pair], size: int, batch_size: int,
                 skip_bad_pairs: bool = False):
        self._pairs = pairs
        self._batch_size = batch_size
        self._skip_bad_pairs = skip_bad_pairs
        self._strip_indices = set(np.linspace(0, len(pairs) - 1, STRIP_EXAMPLES).astype(int))
        with tf.Graph().as_default() as graph:
            self._build(size)
        self._session = _session(graph)

    def _build(self, size: int) -> None:
        self._next = tf.data.make_initializable_iterator(_examples(self._pairs, size))
        self._example = self._next.get_next()

        self._alpha = tf.placeholder(tf.float32, [1, size, size, 1])
        self._mask = tf.placeholder(tf.uint8, [1, None, None, 1])
        mask = as_float(self._mask)
        alpha = metrics.resize_alpha(self._alpha, tf.shape(mask)[1], tf.shape(mask)[2])
        self._metrics = OrderedDict([
            ('gradient_error', metrics.gradient_error(alpha, mask)[0]),
            ('mad', metrics.mean_absolute_difference(alpha, mask)[0]),
            ('mean_iou', metrics.intersection_over_union(alpha, mask)[0]),
            ('mean_edge_iou', metrics.edge_intersection_over_union(alpha, mask)[0])])

        self._images = tf.placeholder(tf.uint8, [None, size, size, 3])
        self._alphas = tf.placeholder(tf.float32, [None, size, size, 1])
        self._alphas_gt = tf.placeholder(tf.uint8, [None, size, size, 1])
        self._strip = tf.summary.image('examples', pictures.strip(
            as_float(self._images), self._alphas, as_float(self._alphas_gt)), max_outputs=1)

    def evaluate(self, predict: Predictor) -> Tuple[Dict[str, float], bytes]:
        """Runs a predictor over the split.

        Returns:
            the means over all images, by name, and a picture strip as a serialized summary.

        Raises:
            UserError: for files that cannot be decoded, unless they are skipped.
        """
        sums, images_seen, strip = OrderedDict(), 0, []

        def add(values: Dict[str, float], weight: int) -> None:
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + float(value) * weight

        for batch in self._batches():
            images = np.stack([example.image for _, example in batch])
            alphas_gt = np.stack([example.alpha for _, example in batch])
            alphas, means = predict(images, alphas_gt)
            add(means, len(batch))
            for (index, example), alpha in zip(batch, alphas):
                add(self._session.run(self._metrics, {
                    self._alpha: alpha[np.newaxis], self._mask: example.mask[np.newaxis]}), 1)
                if index in self._strip_indices:
                    strip.append((example.image, alpha, example.alpha))
            images_seen += len(batch)
        means = OrderedDict((name, total / images_seen) for name, total in sums.items())
        means['images'] = images_seen
        return means, self._draw(strip)

    def _batches(self) -> Iterator[List[Tuple[int, Example]]]:
        """The whole split in batches, the last one as small as it comes out."""
        self._session.run(self._next.initializer)
        batch, problems = [], []
        for index in tqdm(range(len(self._pairs)), desc='evaluating', unit=' images', leave=False,
                          disable=not sys.stderr.isatty()):
            image, alpha, mask, problem = self._session.run(self._example)
            if problem:
                problems.append(problem.decode())
                continue
            batch.append((index, Example(image, alpha, mask)))
            if len(batch) == self._batch_size:
                yield batch
                batch = []
        if batch:
            yield batch
        report_problems(problems, len(self._pairs) - len(problems), folder_of(self._pairs),
                        self._skip_bad_pairs)

    def _draw(self, strip: List[Tuple[np.ndarray, np.ndarray, np.ndarray]]) -> bytes:
        if not strip:
            return b''
        images, alphas, alphas_gt = (np.stack(column) for column in zip(*strip))
        return self._session.run(self._strip, {
            self._images: images, self._alphas: alphas, self._alphas_gt: alphas_gt})


def _session(graph: tf.Graph) -> tf.Session:
    # Training may be running on the same GPU: take only the memory that is needed.
    return tf.Session(graph=graph, config=tf.ConfigProto(
        gpu_options=tf.GPUOptions(allow_growth=True)))


def _examples(pairs: List[Pair], size: int) -> tf.data.Dataset:
    """The pairs in order, decoded in parallel; a problem instead of pixels where that fails."""
    def read(index: int):
        path = pairs[index].image
        try:
            image = decode.read_image(path, size)
            path = pairs[index].mask
            mask = decode.read_mask(path)
            alpha = decode.resize_mask(mask, size)
            return image, alpha[..., np.newaxis], mask[..., np.newaxis], b''
        except UNREADABLE as error:
            empty = np.zeros([1, 1, 1], np.uint8)
            return empty, empty, empty, f'{path}: cannot be decoded ({error})'.encode()

    return tf.data.Dataset.range(len(pairs)).map(
        lambda index: tf.numpy_function(read, [index], [tf.uint8] * 3 + [tf.string]),
        num_parallel_calls=os.cpu_count()).prefetch(8)


def image_by_image(alpha: Callable[[np.ndarray], np.ndarray]) -> Predictor:
    """A `Predictor` of what takes one image `[S, S, 3]` and returns its alpha `[S, S, 1]`."""
    def predict(images: np.ndarray, _) -> Tuple[np.ndarray, Dict[str, float]]:
        return np.stack([alpha(image) for image in images]), {}

    return predict


def always_foreground(images: np.ndarray, _) -> Tuple[np.ndarray, Dict[str, float]]:
    """A `Predictor` that sees nothing but foreground: what others have to be better than."""
    return np.ones(images.shape[:3] + (1,), np.float32), {}


def evaluate_checkpoint(evaluator: Evaluator, network: Checkpoints, checkpoint: str,
                        split: str) -> Dict[str, Any]:
    """Measures one checkpoint; writes its record and summaries, keeps it if it is the best.

    Training may delete the checkpoint at any moment: all work is done on a copy.

    Returns:
        the record, as `eval_<split>.jsonl` holds it.

    Raises:
        FileNotFoundError: if training has deleted it before it could be copied.
        UserError: if it cannot be restored, or the split not be read.
    """
    train_dir = os.path.dirname(checkpoint) or '.'
    with tempfile.TemporaryDirectory() as scratch:
        copy = checkpoints.copy(checkpoint, scratch)
        network.restore(copy)
        scores, strip = evaluator.evaluate(network.predict)
        record = OrderedDict([('global_step', checkpoints.step_of(checkpoint)), ('split', split)])
        record.update(scores)
        record['parameters'] = network.parameters
        summary_dir = os.path.join(train_dir, 'eval_' + split)
        # Another evaluation may be running beside this one.
        with files.locked(summary_dir):
            write_record(summary_dir + '.jsonl', record)
            write_summaries(summary_dir, record, strip)
            # Not within best/ itself, which holds scores already.
            if not os.path.exists(os.path.join(train_dir, checkpoints.SCORES)):
                record['best'] = checkpoints.keep_best(copy, train_dir, record)
    return record


def write_record(path: str, record: Dict[str, Any]) -> None:
    """Writes a checkpoint's line, ordered by step, in the place of an older one of its step."""
    records = [other for other in read_records(path)
               if other['global_step'] != record['global_step']] + [record]
    records.sort(key=lambda each: each['global_step'])
    files.write_text(''.join(json.dumps(each) + '\n' for each in records), path)


def read_records(path: str) -> List[Dict[str, Any]]:
    """The lines of an `eval_<split>.jsonl`; none if it is not there."""
    if not os.path.exists(path):
        return []
    try:
        with open(path) as file:
            return [json.loads(line) for line in file]
    except ValueError:
        raise UserError(f'{path}: is damaged; move it away, evaluation writes it anew')


def write_summaries(directory: str, record: Dict[str, Any], strip: bytes) -> None:
    """Adds a checkpoint's scores to TensorBoard, the losses under the names training uses."""
    with tf.Graph().as_default():
        writer = tf.summary.FileWriter(directory)
        writer.add_summary(tf.Summary(value=[
            tf.Summary.Value(tag=name, simple_value=value) for name, value in record.items()
            if isinstance(value, float)]), record['global_step'])
        if strip:
            writer.add_summary(strip, record['global_step'])
        writer.close()


def in_papers_units(record: Dict[str, Any]) -> str:
    """A record as a line, in the units of Table 3."""
    parts = [f"gradient error {1000 * record['gradient_error']:.2f} (×10⁻³)",
             f"MAD {100 * record['mad']:.2f} (×10⁻²)",
             f"mean IOU {record['mean_iou']:.4f}",
             f"edge IOU {record['mean_edge_iou']:.4f}",
             f"{record['images']} images"]
    if 'global_step' in record:
        parts.insert(0, f"step {record['global_step']}")
        parts.insert(-1, f"loss {record['loss/total']:.4f}")
        parts.append('{:.3f} M parameters ({:,})'.format(record['parameters'] / 1e6,
                                                         record['parameters']))
    return '  '.join(parts + ['best so far'] * bool(record.get('best')))


def resolve(checkpoint_path: str, flag: str = '--checkpoint_path') -> str:
    """The checkpoint that a path means: itself, or a directory's latest.

    Args:
        checkpoint_path: a checkpoint or a train directory.
        flag: that the path was given with, for messages.

    Raises:
        UserError: if there is none.
    """
    if not os.path.isdir(checkpoint_path):
        checkpoint = checkpoint_path
        for extension in ('.index', '.meta'):
            if checkpoint.endswith(extension):
                checkpoint = checkpoint[:-len(extension)]
        if not checkpoints.exists(checkpoint):
            raise UserError(f'{flag} {checkpoint_path}: no such directory or checkpoint')
        return checkpoint
    known = [path for path in checkpoints.listed(checkpoint_path) if checkpoints.exists(path)]
    if not known:
        raise UserError('{} {}: holds no checkpoint; name a train directory or a file in it, or '
                        'wait for a training\'s first with evaluate.py --watch'.format(
                            flag, checkpoint_path))
    return known[-1]


def watch(train_dir: str, done: List[int], timeout: Optional[float]) -> Iterator[str]:
    """Yields every checkpoint of a training as it appears, oldest first.

    Checkpoints that training deleted before their turn are named on standard error.

    Args:
        train_dir: the train directory.
        done: steps that need no evaluation any more.
        timeout: end after so many seconds without a new checkpoint; None waits for ever.
    """
    handled, waiting_since = set(done), time.time()
    while True:
        saved = files.read_json(os.path.join(train_dir, checkpoints.SAVED)) or []
        known = {checkpoints.step_of(path): path for path in checkpoints.listed(train_dir)}
        fresh = [step for step in sorted(set(saved) | set(known)) if step not in handled]
        for step in fresh:
            handled.add(step)
            path = known.get(step, os.path.join(train_dir, f'model.ckpt-{step}'))
            if checkpoints.exists(path):
                yield path
                # The list is old by now; look again.
                waiting_since = time.time()
                break
            print('step {}: training has deleted this checkpoint before it could be evaluated; '
                  'raise --keep_checkpoint_max there'.format(step), file=sys.stderr)
        else:
            if timeout is not None and time.time() - waiting_since > timeout:
                return
            time.sleep(POLL_SECONDS)
