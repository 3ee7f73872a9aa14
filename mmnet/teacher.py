"""A teacher for distillation: any trained network or exported file, as a function in the graph.

    teacher = load('TRAIN_DIR', '--teacher')
    alpha = teacher(images)
"""

from typing import Callable

import cv2
import numpy as np
import tensorflow as tf

from mmnet import checkpoints, hparams, losses, pretrained
from mmnet.graph import build_network, open_session
from mmnet.runtime import Interpreter, is_exported_file

# Takes images [N, S, S, 3] in [0, 1]; returns alphas [N, S, S, 1] that no gradient passes.
Teacher = Callable[[tf.Tensor], tf.Tensor]


def load(path: str, flag: str) -> Teacher:
    """Loads a teacher from a train directory, a checkpoint, an exported file or `pretrained:NAME`.

    It computes at its own size; images and alphas are resized.

    Raises:
        UserError: for other files, and for files that cannot be read.
    """
    path = pretrained.find(path)
    if is_exported_file(path):
        return _file(Interpreter(path))
    checkpoint = checkpoints.resolve(path, flag)
    return _network(hparams.read_beside(checkpoint), checkpoint)


def _network(trained: hparams.HParams, checkpoint: str) -> Teacher:
    """Makes a teacher from a checkpoint. Its weights become constants, so nothing saves them."""
    size = trained.image_size
    with tf.Graph().as_default() as graph, open_session(graph) as session:
        inputs = tf.placeholder(tf.float32, [None, size, size, 3])
        logits, _ = build_network(inputs, trained, is_training=False)
        outputs = losses.foreground_alpha(logits)
        checkpoints.restore(checkpoints.saver(trained.training.averaged), session, checkpoint)
        frozen = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [outputs.op.name])

    def teacher(images: tf.Tensor) -> tf.Tensor:
        resized = resize(images, size, size)
        alphas, = tf.import_graph_def(frozen, {inputs.name: resized}, [outputs.name],
                                      name='teacher')
        return _fit(alphas, images)
    return teacher


def _file(interpreter: Interpreter) -> Teacher:
    """Makes a teacher of an exported file, which runs outside of TensorFlow's graph."""
    size = interpreter.size

    def run(images: np.ndarray) -> np.ndarray:
        pixels = np.round(255 * images).astype(np.uint8)
        return np.stack([interpreter.alpha(cv2.resize(each, (size, size))) for each in pixels])

    def teacher(images: tf.Tensor) -> tf.Tensor:
        alphas = tf.numpy_function(run, [images], tf.float32)
        alphas.set_shape([images.shape[0], size, size, 1])
        return _fit(alphas, images)
    return teacher


def resize(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resizes images or alphas `[N, H, W, C]` bilinearly to `[N, height, width, C]`.

    Pixels are areas (`half_pixel_centers`), as they were when the photo was resized.
    """
    return tf.compat.v1.image.resize_bilinear(images, [height, width], half_pixel_centers=True)


def _fit(alphas: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    height, width = images.shape.as_list()[1:3]
    return tf.stop_gradient(resize(alphas, height, width))
