"""From a checkpoint to the content of a `.tflite` file."""

import dataclasses
from typing import Optional

import tensorflow as tf

from mmnet import checkpoints, losses, models
from mmnet.errors import UserError
from mmnet.graph import build_network, open_session
from mmnet.hparams import HParams
from mmnet.tflite import encode, metadata, rearrange, softmax, trace
from mmnet.tflite.layers import LayerGraph


FLOATS = ('float32', 'float16')
# Tells runtimes that they may compute in half precision where the processor does.
HALVES = {'reduced_precision_support': b'fp16accfp16'}


@dataclasses.dataclass(frozen=True)
class Export:
    """The content of a file, and the graph that it was made from.

    Attributes:
        content: of the file.
        precision: `float32`, `float16`, `uint8` or `int8`.
        network: its layers.
        session: holds the graph's variables.
        images: placeholder `[1, S, S, 3]` in [0, 1]; a memory adds a channel.
        alpha: the graph's alpha, `[1, S, S, 1]`.
    """
    content: bytes
    precision: str
    network: LayerGraph
    session: tf.Session
    images: tf.Tensor
    alpha: tf.Tensor


def check_exportable(hparams: HParams, precision: str, softmax_kind: str,
                     io: Optional[str] = None) -> None:
    """Refuses combinations that cannot be exported.

    Raises:
        UserError: says what to do instead.
    """
    float_only = models.network_spec(hparams.model).float_only
    if precision in FLOATS:
        if io == 'uint8':
            raise UserError(f'--io uint8: is for 8-bit files; a {precision} file takes floats')
        if softmax_kind == 'lut':
            raise UserError(f'--softmax lut: the table takes 8-bit logits; choose logistic or '
                            f'builtin for {precision}')
    elif float_only:
        raise UserError(f'--precision {precision}: {hparams.model} has no 8-bit form: '
                        f'{float_only}; choose float32')
    elif not hparams.quantization:
        raise UserError(f'--precision {precision}: the checkpoint has no quantization ranges; '
                        f'fine-tune it with train.py --quantize --init_checkpoint first')
    elif hparams.quantization.per_channel and precision == 'uint8':
        raise UserError('--precision uint8: the network was trained with --per_channel, which only '
                        'int8 files can hold; choose int8')
    elif hparams.quantization.activation_bits != 8:
        raise UserError(f'--precision {precision}: the network was trained with --activation_bits '
                        f'{hparams.quantization.activation_bits}; a file holds 8')


def export(checkpoint: str, hparams: HParams, image_size: int, precision: str,
           softmax_kind: str, io: Optional[str] = None) -> Export:
    """Converts a checkpoint.

    Args:
        checkpoint: path of a complete checkpoint.
        hparams: of its train directory.
        image_size: side of the square that the file takes.
        precision, softmax_kind, io: as checked by `check_exportable`. Without `io`, an 8-bit file
            takes and returns uint8.

    Raises:
        UserError: for a checkpoint of another network, for an image size it cannot take, and for
            an operation that no file can hold.
    """
    if precision in FLOATS:
        hparams = dataclasses.replace(hparams, quantization=None)
    # A file is compared with this graph.
    session = open_session(tf.Graph(), exact=True)
    with session.graph.as_default():
        images = tf.placeholder(tf.float32, [1, image_size, image_size, hparams.channels])
        try:
            logits, _ = build_network(images, hparams, is_training=False)
        except ValueError as error:
            raise UserError(f'--image_size {image_size}: {error}')
        checkpoints.restore(checkpoints.saver(hparams.training.averaged), session, checkpoint)
        alpha = losses.foreground_alpha(logits)
    io = 'float32' if precision in FLOATS else io or 'uint8'
    described = metadata.describe(hparams, checkpoints.step_of(checkpoint), image_size, precision,
                                  io)
    entries = {metadata.NAME: described}
    if precision == 'float16':
        entries.update(HALVES)
    try:
        network = softmax.SOFTMAXES[softmax_kind](trace.trace(session, images, logits))
        if precision in FLOATS:
            network = rearrange.rearrange(network)
        content = encode.encode(network, precision, f'{hparams.model} {precision}', io, entries)
    except ValueError as error:
        raise UserError(f'{checkpoint}: {hparams.model} cannot be exported; {error}')
    return Export(metadata.append_labels(content), precision, network, session, images, alpha)
