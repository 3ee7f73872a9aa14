"""The networks, by name. A new one is a file here and an entry in `NETWORKS`.

A network is a function `(images, is_training, **hparams) -> (logits, end_points)`; its keyword
arguments are its hyperparameters, their defaults the published ones.
"""

import inspect
from typing import Any, Dict, Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet.models import deeplab, mmnet

NETWORKS = {'mmnet': mmnet.mmnet, 'deeplab': deeplab.deeplab}


def build(name: str, images: tf.Tensor, is_training: bool,
          **hparams) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Builds the network `name`.

    Args:
        name: a key of `NETWORKS`.
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W multiples of the network's stride.
        is_training: whether batch norm uses the batch's statistics and dropout is on.
        **hparams: see `hparams_of(name)`.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground; end points by name, among them
        `aux_logits` where the network has an auxiliary head.

    Raises:
        ValueError: for an unknown name, an hparam the network does not have or cannot take, or an
            image size it cannot take.
    """
    known = hparams_of(name)
    unknown = sorted(set(hparams) - set(known))
    if unknown:
        raise ValueError('{} has no setting {}; it has {}'.format(
            name, ', '.join(unknown), ', '.join(sorted(known))))
    if hparams.get('width_multiplier', 1.0) <= 0:
        raise ValueError('width_multiplier must be above 0')
    return NETWORKS[name](images, is_training, **hparams)


def hparams_of(name: str) -> Dict[str, Any]:
    """The hyperparameters of a network with their defaults.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError('no network is called {}; there are {}'.format(
            name, ', '.join(sorted(NETWORKS))))
    parameters = list(inspect.signature(NETWORKS[name]).parameters.values())[2:]
    return {parameter.name: parameter.default for parameter in parameters}


def count_parameters(name: str, image_size: int, **hparams) -> int:
    """Counts all model variables, batch norm's moving statistics included, as Table 3 does.

    Builds the network in a graph of its own, so it also tells early whether it can be built.

    Raises:
        ValueError: as `build`.
    """
    with tf.Graph().as_default():
        build(name, tf.placeholder(tf.float32, [None, image_size, image_size, 3]), False, **hparams)
        return graph_parameters()


def graph_parameters() -> int:
    """The number of values in the model variables of the default graph."""
    return sum(variable.shape.num_elements() for variable in slim.get_model_variables())
