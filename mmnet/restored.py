"""Runs checkpoints: pixels in, alphas out."""

import os

import numpy as np
import tensorflow as tf

from mmnet import checkpoints, hparams, losses
from mmnet.graph import as_float, build_network
from mmnet.runtime import Predictor


def load(path: str, flag: str) -> Predictor:
    """Loads a network from a train directory or a checkpoint.

    Raises:
        UserError: if there is no such checkpoint, or it cannot be read.
    """
    checkpoint = checkpoints.resolve(path, flag)
    trained = hparams.read(os.path.dirname(checkpoint) or '.')
    size = trained.image_size
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.uint8, [1, size, size, 3])
        logits, _ = build_network(as_float(images), trained, is_training=False)
        alpha = losses.foreground_alpha(logits)
        session = tf.Session(graph=graph)
        checkpoints.restore(checkpoints.saver(trained.training.averaged), session, checkpoint)
    return Predictor(size, lambda image: session.run(alpha, {images: image[np.newaxis]})[0])
