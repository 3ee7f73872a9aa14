"""The networks, by name. A new one is a file here and an entry in `NETWORKS`.

A network is a function `(images, is_training, **hparams) -> (logits, end_points)`; its keyword
arguments, `batch_norm_decay` among them, are its hyperparameters, their defaults the published
ones. Its objective is a function `(run, batch, **settings) -> losses.Objective`, likewise. The
flags of train.py are made of both.
"""

import inspect
from typing import Any, Callable, Dict, NamedTuple, Tuple

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import losses, modnet_losses, portraitnet_losses
from mmnet.models import deeplab, mmnet, modnet, portraitnet


class Network(NamedTuple):
    """A network and how it is trained."""
    build: Callable
    objective: Callable = losses.matting_objective
    training: Dict[str, Any] = {}   # what differs from TRAINING
    consistency: Callable = None    # `(run, frozen, batch) -> Objective` on photos without alphas
    float_only: str = ''            # why it has no 8-bit form, if it has none


# How MMNet is trained (Section 3), by the names of train.py's flags.
TRAINING = {'image_size': 256, 'batch_size': 32, 'learning_rate': 1e-4, 'learning_rate_decay': 1.0,
            'weight_decay': 4e-7, 'max_steps': 100000, 'augmentation': 'mmnet'}

NETWORKS = {
    'mmnet': Network(mmnet.mmnet),
    'deeplab': Network(deeplab.deeplab),
    'portraitnet': Network(
        portraitnet.portraitnet, portraitnet_losses.objective,
        # Sections 4.2 and 4.3 there; 2,000 epochs of 1,447 images.
        {'image_size': 224, 'batch_size': 64, 'learning_rate': 1e-3, 'learning_rate_decay': 0.95,
         'weight_decay': 5e-4, 'max_steps': 45219, 'augmentation': 'portraitnet'}),
    # The article gives the weights of the losses alone; size and batch are the release's.
    'modnet': Network(
        modnet.modnet, modnet_losses.objective, {'image_size': 512, 'batch_size': 16},
        modnet_losses.consistency,
        'TensorFlow 1.15\'s runtime has SQUARED_DIFFERENCE and RSQRT, which its instance norm is '
        'made of, for floats only'),
}


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
    return NETWORKS[name].build(images, is_training, **hparams)


def network(name: str) -> Network:
    """The entry of a network.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name}; there are {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name]


def training_of(name: str) -> Dict[str, Any]:
    """How a network is trained, by the names of train.py's flags.

    Raises:
        ValueError: for an unknown name.
    """
    return dict(TRAINING, **network(name).training)


def hparams_of(name: str) -> Dict[str, Any]:
    """The hyperparameters of a network with their defaults.

    Raises:
        ValueError: for an unknown name.
    """
    return settings(network(name).build)


def settings(function: Callable) -> Dict[str, Any]:
    """The keyword arguments of a network or an objective with their defaults."""
    return {parameter.name: parameter.default
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is not parameter.empty}


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
