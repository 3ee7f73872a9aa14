"""ImageNet weights for MobileNetV2, the backbone of three networks.

A public classification file has batch norm folded into its convolutions. Here each batch norm is
unfolded: with the mean m and variance v of its convolution's output over some photos,
γ = √(v + ε) and β = b + m. Training with a batch's statistics then starts where inference was.

    convolutions = read('mobilenet_v2.tflite')
    write_checkpoint(convolutions, 'deeplab', photos, 'CKPT')
"""

import os
import struct
import zipfile
from typing import Dict, List, Tuple

import numpy as np
import tensorflow as tf

from mmnet import checkpoints, files, models
from mmnet.errors import UserError
from mmnet.graph import as_float
from mmnet.models import portraitnet
from mmnet.models.mobilenet_v2 import EPSILON, round_channels
from mmnet.tflite import flatbuffer

# Weights [H, W, I, O], or [H, W, C, 1] if depthwise, and bias [O].
Convolution = Tuple[np.ndarray, np.ndarray]
SCOPE = 'MobilenetV2/'
# The convolutions of a file, in order, by slim's names.
LAYERS = ['Conv', 'expanded_conv/depthwise', 'expanded_conv/project', *(
    f'expanded_conv_{block}/{part}' for block in range(1, 17)
    for part in ('expand', 'depthwise', 'project')), 'Conv_1']
# PortraitNet's first bottleneck has a 1×1 convolution that files lack.
EXTRA = 'expanded_conv/expand'
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
# Files expect 2x − 1 for pixels x in [0, 1]. This scale and offset convert each network's own
# normalized input to that.
INPUTS = {
    'deeplab': (2.0, np.full(3, -1.0)),
    'modnet': (1.0, np.zeros(3)),
    'portraitnet': (2 / (255 * portraitnet.SCALE), 2 * portraitnet.MEAN / 255 - 1),
}
# Of batch norm in .npz files, which is slim's own.
SLIM_EPSILON = 1e-3


def read(path: str) -> List[Convolution]:
    """Reads the 52 convolutions of a MobileNetV2, without batch norm.

    Args:
        path: a `.tflite` file for classification, in float32 or 8 bits, or an `.npz` file of slim's
            variables, with `|` for `/` in their names.

    Raises:
        UserError: for files that hold anything else.
    """
    try:
        if path.endswith('.npz'):
            found = _read_slim(path)
        else:
            with open(path, 'rb') as file:
                found = flatbuffer.convolutions(file.read())
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror or error})')
    # A truncated file raises any of these.
    except (ValueError, KeyError, struct.error, IndexError, TypeError, AttributeError,
            zipfile.BadZipFile) as error:
        raise UserError(f'{path}: cannot be read as a MobileNetV2 ({error})')
    if len(found) < len(LAYERS):
        raise UserError(f'{path}: is not a MobileNetV2, which has {len(LAYERS)} convolutions; it '
                        f'has {len(found)}')
    return found[:len(LAYERS)]


def _read_slim(path: str) -> List[Convolution]:
    """Reads slim's variables and folds batch norm into the convolutions."""
    arrays = {name.replace('|', '/'): array for name, array in np.load(path).items()}
    found = []
    for layer in LAYERS:
        gamma, beta, mean, variance = (
            arrays[f'{SCOPE}{layer}/BatchNorm/{name}']
            for name in ('gamma', 'beta', 'moving_mean', 'moving_variance'))
        factor = gamma / np.sqrt(variance + SLIM_EPSILON)
        weights = arrays[SCOPE + _weights_of(layer)]
        found.append((weights * (factor[:, np.newaxis] if _is_depthwise(layer) else factor),
                      beta - mean * factor))
    return found


def _is_depthwise(layer: str) -> bool:
    return layer.endswith('depthwise')


def _weights_of(layer: str) -> str:
    return f'{layer}/{"depthwise_" * _is_depthwise(layer)}weights'


def write_checkpoint(convolutions: List[Convolution], model: str, photos: np.ndarray,
                     path: str) -> float:
    """Writes a checkpoint that a network's backbone can start from.

    Args:
        convolutions: as returned by `read`.
        model: a key of `INPUTS`.
        photos: uint8 RGB `[N, S, S, 3]`, for the means and variances.
        path: of the checkpoint.

    Returns:
        the width multiplier of the backbone.

    Raises:
        UserError: if the network's backbone has other shapes.
    """
    width = _width(convolutions)
    if model != 'deeplab' and width != 1:
        raise UserError(f'--model {model}: its backbone has width multiplier 1, and the file has '
                        f'{width}; choose a file of width 1')
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.uint8, [None, *photos.shape[1:]])
        models.build(model, as_float(images), is_training=False,
                     **({'width_multiplier': width} if model == 'deeplab' else {}))
        variables = {each.op.name[len(SCOPE):]: each for each in tf.model_variables()
                     if each.op.name.startswith(SCOPE)}
        layers = _fitting(convolutions, model, variables)

        folded = {}
        for layer, (weights, bias) in layers.items():
            folded[_weights_of(layer)] = weights
            # Batch norm does nothing but add β: its moving mean starts as 0, its γ as 1.
            folded[layer + '/BatchNorm/beta'] = bias
            folded[layer + '/BatchNorm/moving_variance'] = np.full(len(bias), 1 - EPSILON)
        _initialize(session, variables, folded)
        opened = {_weights_of(layer): weights for layer, (weights, _) in layers.items()}
        for layer, (mean, variance) in _moments(session, images, photos, list(layers)).items():
            norm = layer + '/BatchNorm/'
            opened.update({norm + 'moving_mean': mean, norm + 'moving_variance': variance,
                           norm + 'gamma': np.sqrt(variance + EPSILON),
                           norm + 'beta': layers[layer][1] + mean})
        _initialize(session, variables, opened)
        files.make_directory(os.path.dirname(path) or '.')
        checkpoints.save(tf.train.Saver(list(variables.values())), session, path,
                         write_meta_graph=False, write_state=False)
    return width


def _width(convolutions: List[Convolution]) -> float:
    """Infers the width multiplier from the last bottleneck's channels, 320 at width 1."""
    channels = convolutions[-2][0].shape[-1]
    for width in WIDTHS:
        if round_channels(320, width) == channels:
            return width
    raise UserError(f'its last bottleneck has {channels} channels; no MobileNetV2 with a width '
                    f'multiplier among {", ".join(map(str, WIDTHS))} has')


def _fitting(convolutions: List[Convolution], model: str,
             variables: Dict[str, tf.Variable]) -> Dict[str, Convolution]:
    """Makes the convolutions fit a network, by the names of its layers.

    Raises:
        UserError: for a convolution of another shape.
    """
    layers = {layer: convolution for layer, convolution in zip(LAYERS, convolutions)
              if _weights_of(layer) in variables}
    weights, bias = layers['Conv']
    scale, offset = INPUTS[model]
    # Zeros beyond the border now mean another colour, which only the outermost pixels see.
    layers['Conv'] = (scale * weights, bias + np.einsum('hwio,i->o', weights, offset))
    if _weights_of(EXTRA) in variables:
        channels = weights.shape[-1]
        layers[EXTRA] = (np.eye(channels)[np.newaxis, np.newaxis], np.zeros(channels))
    for layer, (weights, _) in layers.items():
        wanted = tuple(variables[_weights_of(layer)].shape.as_list())
        if weights.shape != wanted:
            raise UserError(f'its convolution {layer} has the shape {weights.shape}; a MobileNetV2 '
                            f'has {wanted}')
    return layers


def _initialize(session: tf.Session, variables: Dict[str, tf.Variable],
                values: Dict[str, np.ndarray]) -> None:
    """Gives all variables of the graph their first values, or those given."""
    # In one run: TensorFlow prepares the whole graph anew for each set of variables.
    session.run(tf.global_variables_initializer(), {
        variables[name].initial_value: value for name, value in values.items()})


def _moments(session: tf.Session, images: tf.Tensor, photos: np.ndarray,
             layers: List[str]) -> Dict[str, Tuple[np.ndarray, np.ndarray]]:
    """Measures mean and variance of the convolutions' outputs, `[C]`, over photos."""
    outputs = [session.graph.get_operation_by_name(
        f'{SCOPE}{layer}/BatchNorm/FusedBatchNormV3').inputs[0] for layer in layers]
    moments = [tf.nn.moments(output, [0, 1, 2]) for output in outputs]
    # One photo at a time: all maps of a batch would take gigabytes.
    measured = [session.run(moments, {images: photo[np.newaxis]}) for photo in photos]
    found = {}
    for number, layer in enumerate(layers):
        means, variances = (np.stack([each[number][part] for each in measured]) for part in (0, 1))
        found[layer] = (means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0))
    return found
