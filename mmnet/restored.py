"""Runs checkpoints: pixels in, alphas out; and strips them of what only training needs."""

import dataclasses
import os
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from mmnet import checkpoints, files, hparams, losses
from mmnet.errors import UserError
from mmnet.graph import as_float, build_network, open_session
from mmnet.quantization import last_layer, range_variables
from mmnet.runtime import Predictor, as_bytes


class _Network(NamedTuple):
    """A checkpoint's network in a graph of its own, with its weights."""
    hparams: hparams.HParams
    session: tf.Session
    images: tf.Tensor
    alpha: tf.Tensor


def _restore(checkpoint: str) -> _Network:
    trained = hparams.read_beside(checkpoint)
    size = trained.image_size
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.uint8, [1, size, size, trained.channels])
        logits, _ = build_network(as_float(images), trained, is_training=False)
        alpha = losses.foreground_alpha(logits)
        session = open_session(graph)
        checkpoints.restore(checkpoints.saver(trained.training.averaged), session, checkpoint)
    return _Network(trained, session, images, alpha)


def load(path: str, flag: str) -> Predictor:
    """Loads a network from a train directory or a checkpoint.

    Raises:
        UserError: if there is no such checkpoint, or it cannot be read; while it runs, also if
            memory is full.
    """
    network = _restore(checkpoints.resolve(path, flag))
    size, remembers = network.hparams.image_size, network.hparams.previous_alpha

    def alpha(image: np.ndarray, previous: Optional[np.ndarray] = None) -> np.ndarray:
        taken = np.dstack([image, as_bytes(previous, size)]) if remembers else image
        try:
            return network.session.run(network.alpha, {network.images: taken[np.newaxis]})[0]
        except tf.errors.ResourceExhaustedError:
            raise UserError(f'{flag} {path}: out of memory at {size}×{size}; stop other programs '
                            f'on this machine or its GPU')
    return Predictor(size, alpha, remembers)


def strip(sources: Sequence[str], dest: str, temperature: float = 1.0) -> None:
    """Writes the mean of checkpoints' weights as a new checkpoint, small enough to publish.

    Their moving averages take the place of the weights, if there are any. Adam's moments are left
    out, two thirds of the bytes, and so are the folders of the data sets. The training ends at this
    checkpoint.

    Args:
        sources: checkpoints of one network, as returned by `checkpoints.resolve`. The last one
            gives the step and the settings.
        dest: the folder to write to, along with `hparams.json`.
        temperature: divides the logits, by way of the last layer's weights, biases and learned
            ranges.

    Raises:
        UserError: if a checkpoint cannot be read or is of another network, or if its logits cannot
            be divided.
    """
    networks = [_restore(each) for each in sources]
    network, step = networks[-1], checkpoints.step_of(sources[-1])
    for source, each in zip(sources, networks):
        if each.hparams.identity() != network.hparams.identity():
            raise UserError(f'{source}: belongs to another network than {sources[-1]}; only '
                            f'checkpoints of one network can be averaged')
    divided = _last_layer_variables(network) if temperature != 1 else []
    files.make_directory(dest)
    with network.session.graph.as_default():
        variables = [*tf.model_variables(), *range_variables()]
        values = [each.session.run([variable.name for variable in variables])
                  for each in networks]
        network.session.run([variable.initializer for variable in variables], {
            variable.initializer.inputs[1]:
                np.mean(found, axis=0) / (temperature if variable.op.name in divided else 1)
            for variable, found in zip(variables, zip(*values))})
        checkpoints.save(tf.train.Saver(variables, save_relative_paths=True), network.session,
                         os.path.join(dest, 'model.ckpt'), global_step=step,
                         write_meta_graph=False)
    hparams.write(_published(network.hparams, step), dest)


def _published(trained: hparams.HParams, step: int) -> hparams.HParams:
    """Returns hyperparameters that end at a step and name no folders of this machine."""
    def names(paths: Optional[Tuple[str, ...]]) -> Optional[Tuple[str, ...]]:
        return paths and tuple(os.path.basename(os.path.normpath(path)) for path in paths)
    training = trained.training
    return dataclasses.replace(trained, training=dataclasses.replace(
        training, dataset_path=names(training.dataset_path) or (), teacher=None,
        backgrounds=names(training.backgrounds), unlabelled=names(training.unlabelled),
        init_checkpoint=None, ema_decay=None, max_steps=max(1, step)))


def _last_layer_variables(network: _Network) -> List[str]:
    """Names what scales with the logits: the last layer's weights, biases and learned ranges.

    Rounding puts operations between a layer and its variables, so a float graph is asked.
    """
    size, channels = network.hparams.image_size, network.hparams.channels
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [1, size, size, channels])
        logits, _ = build_network(images, dataclasses.replace(network.hparams, quantization=None),
                                  is_training=False)
    layer = last_layer(logits)
    layers = [layer, layer.inputs[0].op] if layer.type == 'BiasAdd' else [layer]
    if layers[-1].type != 'Conv2D':
        raise UserError('--temperature: needs a network that ends in a convolution, and '
                        f'{network.hparams.model} does not')
    # A variable is read by an operation of its own.
    names = [each.inputs[1].op.inputs[0].op.name for each in layers]
    scope = os.path.dirname(names[0]) + '/'
    with network.session.graph.as_default():
        return names + [each.op.name for each in range_variables()
                        if each.op.name.startswith(scope)]
