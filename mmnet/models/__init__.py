"""The networks by name. A new network is a file here and an entry in `NETWORKS`.

    logits, end_points = models.build('deeplab', images, is_training=True, output_stride=8)

A network is a function `(images, is_training, settings) -> (logits, end_points)`; its objective is
a function `(run, batch, settings) -> losses.Objective`. The settings of both are declared as
`mmnet.settings` describes, and the flags of train.py follow from the declarations.
"""

import dataclasses
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type

import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import losses
from mmnet.losses import mmnet as mmnet_losses
from mmnet.losses import modnet as modnet_losses
from mmnet.losses import portraitnet as portraitnet_losses
from mmnet.models import deeplab, mmnet, modnet, portraitnet
from mmnet.settings import Setting, Settings, declared_settings, make

EndPoints = Dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """A network and how it is trained.

    Attributes:
        build: the network.
        settings: the class of its settings.
        stride: from its settings, input pixels per cell of the coarsest map, along one side.
        objective: its loss; Equation 10 unless the paper has its own.
        objective_settings: the class of the objective's settings.
        published: how its paper trains it, where that differs from MMNet's (`mmnet.hparams`).
        consistency: `(run, run_frozen, batch) -> Objective` for photos without alphas.
        float_only: why the network has no 8-bit form; empty if it has one.
    """
    build: Callable[..., Tuple[tf.Tensor, EndPoints]]
    settings: Type[Settings]
    stride: Callable[[Any], int]
    objective: Callable[..., losses.Objective] = mmnet_losses.objective
    objective_settings: Type[Settings] = mmnet_losses.Weights
    published: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    consistency: Optional[Callable[..., losses.Objective]] = None
    float_only: str = ''


NETWORKS = {
    'mmnet': NetworkSpec(mmnet.mmnet, mmnet.MMNetSettings, stride=lambda settings: mmnet.STRIDE),
    'deeplab': NetworkSpec(deeplab.deeplab, deeplab.DeepLabSettings,
                           stride=lambda settings: settings.output_stride),
    'portraitnet': NetworkSpec(
        portraitnet.portraitnet, portraitnet.PortraitNetSettings,
        stride=lambda settings: portraitnet.STRIDE,
        objective=portraitnet_losses.objective, objective_settings=portraitnet_losses.Weights,
        # Sections 4.1 to 4.3 of its paper: 2,000 epochs of 1,447 images.
        published={'image_size': 224, 'batch_size': 64, 'learning_rate': 1e-3,
                   'learning_rate_decay': 0.95, 'weight_decay': 5e-4, 'max_steps': 45219,
                   'augmentation': 'portraitnet'}),
    'modnet': NetworkSpec(
        modnet.modnet, modnet.MODNetSettings, stride=lambda settings: modnet.STRIDE,
        objective=modnet_losses.objective, objective_settings=modnet_losses.Weights,
        # Its paper has only the weights of the losses; these two are the release's.
        published={'image_size': 512, 'batch_size': 16}, consistency=modnet_losses.consistency,
        float_only='its instance norm needs SQUARED_DIFFERENCE and RSQRT, which TensorFlow 1.15 '
                   'runs in float only'),
}


def network_spec(name: str) -> NetworkSpec:
    """Looks a network up by name.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f'no network is called {name}; there are {", ".join(sorted(NETWORKS))}')
    return NETWORKS[name]


def build(name: str, images: tf.Tensor, is_training: bool,
          **hparams) -> Tuple[tf.Tensor, EndPoints]:
    """Builds the network `name`.

    Args:
        name: a key of `NETWORKS`.
        images: float32 RGB in [0, 1], `[N, H, W, 3]`; H and W are multiples of the network's
            stride. A fourth channel may hold the alpha of a video's last frame.
        is_training: whether batch norm uses the batch's statistics and dropout is on.
        **hparams: fields of the network's class of settings.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by name. `aux_logits`
        is among them if the network has an auxiliary head.

    Raises:
        ValueError: for an unknown name, a setting that the network does not have or cannot take,
            or an image size that it cannot take.
    """
    return build_from(name, images, is_training, make(network_spec(name).settings, hparams, name))


def build_from(name: str, images: tf.Tensor, is_training: bool,
               settings: Settings) -> Tuple[tf.Tensor, EndPoints]:
    """Builds the network `name` from its settings; see `build`.

    Raises:
        ValueError: for an image size that it cannot take. For a new network, also for logits of
            another shape, and for a variable that slim does not know: checkpoints would lack it.
    """
    height, width = images.shape.as_list()[1:3]
    for side, size in (('height', height), ('width', width)):
        _check_side(name, side, size, settings)
    before = {*tf.trainable_variables()}
    logits, end_points = network_spec(name).build(images, is_training, settings)
    shape, wanted = logits.shape.as_list()[1:], [height, width, 2]
    if shape != wanted:
        raise ValueError(f'the logits of {name} are {shape}, not {wanted}; is a layer missing, or '
                         f'is its stride wrong?')
    known = {*before, *tf.model_variables()}
    for variable in tf.trainable_variables():
        if variable not in known:
            raise ValueError(f'{variable.op.name}: is no model variable; make it with a layer of '
                             f'slim or with slim.model_variable')
    return logits, end_points


def check_size(name: str, image_size: int, settings: Settings) -> None:
    """Refuses a size of square images that a network cannot take, without building the network.

    Raises:
        ValueError: names sizes that would do.
    """
    _check_side(name, 'size', image_size, settings)


def _check_side(name: str, side: str, size: Optional[int], settings: Settings) -> None:
    """Refuses an image's side that is unknown or not a multiple of a network's stride.

    Raises:
        ValueError: names the side and sizes that would do.
    """
    stride = network_spec(name).stride(settings)
    if size is None:
        raise ValueError(f'the images\' {side} must be known when the graph is built')
    if size < stride or size % stride:
        smaller, larger = size // stride * stride, (size // stride + 1) * stride
        sizes = f'{smaller} or {larger}' if smaller else str(larger)
        raise ValueError(f'image {side} {size} is not a multiple of the network\'s stride '
                         f'{stride}; {sizes} would do')


def all_settings(field: str) -> Dict[str, List[Tuple[str, Setting]]]:
    """Collects the settings of all networks: by name, each network that has it and how.

    Args:
        field: `settings` for those of the networks, `objective_settings` for those of objectives.
    """
    found: Dict[str, List[Tuple[str, Setting]]] = {}
    for name, spec in NETWORKS.items():
        for each in declared_settings(getattr(spec, field)).values():
            users = found.setdefault(each.name, [])
            if any((first.kind, first.kind is bool and first.default) !=
                   (each.kind, each.kind is bool and each.default) for _, first in users):
                raise ValueError(f'{users[0][0]} and {name} declare {each.name} differently; their '
                                 f'flag needs one type and, for a switch, one default')
            users.append((name, each))
    return found


def graph_parameters() -> int:
    """Counts the model variables' values in the default graph, moving statistics too (Table 3)."""
    return sum(variable.shape.num_elements() for variable in slim.get_model_variables())
