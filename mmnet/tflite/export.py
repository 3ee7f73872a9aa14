"""From a checkpoint to the content of a `.tflite` file."""

from typing import Any, Dict, NamedTuple

import tensorflow as tf

from mmnet import checkpoints, losses, models
from mmnet.errors import UserError
from mmnet.tflite import encode, metadata, rearrange, softmax, trace
from mmnet.tflite.layers import Network
from mmnet.training import build_network


class Export(NamedTuple):
    """The content of a file, and the graph that it was made from."""
    content: bytes
    precision: str
    network: Network
    session: tf.Session
    images: tf.Tensor       # placeholder, [1, S, S, 3] in [0, 1]
    alpha: tf.Tensor        # [1, S, S, 1]


def check_settings(hparams: Dict[str, Any], precision: str, head: str) -> None:
    """Refuses what cannot be exported.

    Raises:
        UserError: says what to do instead.
    """
    quantization = hparams['quantization']
    float_only = models.network(hparams['model']).float_only
    if precision == 'float32':
        if head == 'lut':
            raise UserError('--softmax lut: the table is one of 8-bit logits; choose logistic or '
                            'builtin for float32')
    elif float_only:
        raise UserError('--precision {}: {} has no 8-bit form, as {}; choose float32'.format(
            precision, hparams['model'], float_only))
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
            raise UserError(f'--image_size {image_size}: {error}')
        checkpoints.restore(checkpoints.saver(), session, checkpoint)
        network = trace.trace(session, images, logits)
        alpha = losses.foreground_alpha(logits)
    network = softmax.HEADS[head](network)
    if precision == 'float32':
        network = rearrange.rearrange(network)
    content = encode.encode(network, precision, f"{hparams['model']} {precision}")
    content = metadata.add(content, hparams, checkpoints.step_of(checkpoint), image_size, precision)
    return Export(content, precision, network, session, images, alpha)
