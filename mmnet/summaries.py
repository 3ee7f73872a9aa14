"""What TensorBoard shows of training and evaluation: picture strips and scores."""

from typing import List

import numpy as np
import tensorflow as tf

from mmnet.evaluation import Shown
from mmnet.graph import as_float
from mmnet.records import Record

# The green that strips and contact sheets show people on.
STRIP_BACKGROUND = (0.16, 0.62, 0.35)


def draw_strip(images: tf.Tensor, alphas: tf.Tensor, alphas_gt: tf.Tensor) -> tf.Tensor:
    """Draws a row for each example: photo, alpha, ground truth, and the person on green.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`.
        alphas, alphas_gt: in [0, 1], `[N, H, W, 1]`.

    Returns:
        uint8 `[1, N * H, 4 * W, 3]`.
    """
    composites = images * alphas + STRIP_BACKGROUND * (1 - alphas)
    rows = tf.concat([images, tf.tile(alphas, [1, 1, 1, 3]), tf.tile(alphas_gt, [1, 1, 1, 3]),
                      composites], axis=2)
    return tf.image.convert_image_dtype(tf.reshape(rows, [1, -1, rows.shape[2].value, 3]), tf.uint8,
                                        saturate=True)


def write_summaries(directory: str, record: Record, shown: List[Shown]) -> None:
    """Adds a checkpoint's scores and pictures to TensorBoard.

    Args:
        directory: of the event file.
        record: with the losses under the names that training uses; the total lacks the teacher's.
        shown: examples of a picture strip; may be empty.
    """
    with tf.Graph().as_default():
        # Files are named by the second: a second checkpoint within it would replace the first.
        writer = tf.summary.FileWriter(directory, filename_suffix=f'.{record["global_step"]}')
        values = [(name, value) for name, value in record.items()]
        further = {**record.get('sets', {}), 'own_past': record.get('own_past', {})}
        for each, means in further.items():
            values += [(f'{each}/{name}', value) for name, value in means.items()]
        writer.add_summary(tf.Summary(value=[
            # A set's name may hold bytes that are not UTF-8.
            tf.Summary.Value(tag=tag.encode('utf-8', 'backslashreplace'), simple_value=value)
            for tag, value in values
            if isinstance(value, float)]), record['global_step'])
        if shown:
            writer.add_summary(_strip_summary(shown), record['global_step'])
        writer.close()


def _strip_summary(shown: List[Shown]) -> bytes:
    """Draws the strip of an evaluation as a serialized summary."""
    images, truths, alphas = (np.stack(each) for each in zip(*(
        (example.image, example.alpha, alpha) for example, alpha in shown)))
    drawn = draw_strip(as_float(tf.constant(images)), tf.constant(alphas, tf.float32),
                       as_float(tf.constant(truths)))
    summary = tf.summary.image('examples', drawn, max_outputs=1)
    with tf.Session() as session:
        return session.run(summary)
