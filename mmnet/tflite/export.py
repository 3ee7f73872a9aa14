"""A checkpoint to the content of a `.tflite` file, and the graph to check it against."""

from typing import Any, Callable, Dict, NamedTuple

import numpy as np
import tensorflow as tf

from mmnet import checkpoints, losses
from mmnet.errors import UserError
from mmnet.tflite import encode, metadata, softmax, trace
from mmnet.training import build_network

class Export(NamedTuple):
    """The content of a file, and what it has to reproduce: uint8 `[S, S, 3]` to `[S, S, 1]`."""
    content: bytes
    reference: Callable[[np.ndarray], np.ndarray]


def check_settings(hparams: Dict[str, Any], precision: str, head: str) -> None:
    """Refuses what cannot be exported.

    Raises:
        UserError: says what to do instead.
    """
    quantization = hparams['quantization']
    if precision == 'float32':
        if head == 'lut':
            raise UserError('--softmax lut: the table is one of 8-bit logits; choose logistic or '
                            'builtin for float32')
    elif not quantization:
        raise UserError('--precision {}: the checkpoint has no quantization ranges; fine-tune it '
                        'with train.py --quantize --init_checkpoint first'.format(precision))
    elif quantization['activation_bits'] != 8:
        raise UserError('--precision {}: the network was trained with --activation_bits {}; a file '
                        'holds 8'.format(precision, quantization['activation_bits']))


def export(checkpoint: str, hparams: Dict[str, Any], image_size: int, precision: str,
           head: str) -> Export:
    """Converts a checkpoint.

    Args:
        checkpoint: a whole one.
        hparams: of its train directory.
        image_size: the side of the square that the file takes.
        precision, head: as checked by `check_settings`.

    Raises:
        UserError: for a checkpoint of another network and an image size that it cannot take.
    """
    if precision == 'float32':
        hparams = dict(hparams, quantization=None)
    session = tf.Session(graph=tf.Graph())
    with session.graph.as_default():
        images = tf.placeholder(tf.float32, [1, image_size, image_size, 3])
        try:
            logits, _ = build_network(images, hparams, is_training=False)
        except ValueError as error:
            raise UserError('--image_size {}: {}'.format(image_size, error))
        checkpoints.restore(checkpoints.saver(), session, checkpoint)
        network = trace.trace(session, images, logits)
        if hparams['quantization'] and head == 'logistic':
            # The logits are opposite numbers; the file has the second one alone.
            alpha = tf.sigmoid(2 * logits[..., 1:])
        else:
            alpha = losses.foreground_alpha(logits)
    description = '{} {}'.format(hparams['model'], precision)
    content = encode.encode(softmax.HEADS[head](network), precision, description)
    content = metadata.add(content, hparams, checkpoints.step_of(checkpoint), image_size, precision)

    def reference(image: np.ndarray) -> np.ndarray:
        return session.run(alpha, {images: image[np.newaxis] / np.float32(255)})[0]
    return Export(content, reference)
