"""The graph of a run: hyperparameters and a batch in, logits and an objective out.

    logits, end_points = graph.build_network(graph.as_float(pixels), hparams, is_training=False)
    alpha = losses.foreground_alpha(logits)

Training, evaluation, inference and export all build their graphs here.
"""

import dataclasses
from typing import Callable, Dict, List, Optional, Tuple

import tensorflow as tf

from mmnet import losses, models, previous_frame, quantization
from mmnet.hparams import HParams

# The scope of the frozen copy that self-supervision compares with.
FROZEN = 'frozen'


def as_float(pixels: tf.Tensor) -> tf.Tensor:
    """Converts uint8 in [0, 255] to float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) * (1 / 255)


def open_session(graph: tf.Graph, exact: bool = False) -> tf.Session:
    """Opens a session that takes only the GPU memory it needs: training may run beside it.

    Args:
        graph: to run.
        exact: stay on the CPU. A newer GPU may round products to half the digits (TF32).
    """
    return tf.Session(graph=graph, config=tf.ConfigProto(
        gpu_options=tf.GPUOptions(allow_growth=True), device_count={'GPU': 0} if exact else {}))


def build_network(images: tf.Tensor, hparams: HParams,
                  is_training: bool) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """Builds the network that the hyperparameters describe, quantized if they say so.

    Args:
        images: float32 RGB in [0, 1], `[N, H, W, 3]`. With `--previous_alpha`, a network
            takes `[N, H, W, 4]`, whose last channel is that alpha; without the channel, it is 0.
        hparams: of the run.
        is_training: whether batch norm uses the batch's statistics and ranges are learned.

    Returns:
        logits `[N, H, W, 2]`, channel 1 the foreground, and the end points by name.

    Raises:
        ValueError: for an image size that the network cannot take.
    """
    images = _padded(images, hparams.channels)
    # Built again in the same scope, a network keeps its variables.
    with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
        logits, end_points = models.build_from(
            hparams.model, images, is_training, hparams.network)
    if hparams.quantization:
        logits = quantization.quantize(
            images, logits, hparams.quantization.weight_bits,
            hparams.quantization.activation_bits, is_training, hparams.training.quant_delay,
            hparams.quantization.per_channel)
    return logits, end_points


def build_objective(batch: losses.Batch, hparams: HParams, is_training: bool,
                    teacher: Optional[Callable[[tf.Tensor], tf.Tensor]] = None
                    ) -> losses.Objective:
    """Builds the network and its objective; the total includes weight decay and distillation.

    Args:
        batch: images and alphas. Self-supervision does not read the alphas.
        hparams: of the run.
        is_training: whether to build the graph of a training step.
        teacher: takes images and returns alphas to learn from, as `teacher.load` does.

    Raises:
        ValueError: for images of a size that the network cannot take.
    """
    spec, training = models.network_spec(hparams.model), hparams.training
    if is_training:
        batch = _with_own_alphas(batch, hparams)
    # The images and logits of each run; unlabelled photos come last.
    seen: List[Tuple[tf.Tensor, tf.Tensor]] = []

    def run(images: tf.Tensor) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
        count = images.shape.as_list()[0]
        inputs = _with_previous(images, batch.previous)
        if batch.unlabelled is not None:
            images = tf.concat([images, batch.unlabelled], axis=0)
            inputs = tf.concat([inputs, _padded(batch.unlabelled, inputs.shape[3].value)], axis=0)
        # Self-supervision freezes batch norm's statistics: a few similar photos would skew them.
        logits, end_points = build_network(inputs, hparams, is_training and not training.soc)
        seen.append((images, logits))
        if batch.unlabelled is None:
            return logits, end_points
        # The networks' own objectives read photos with masks only.
        return logits[:count], {name: each[:count] for name, each in end_points.items()}

    def run_frozen(images: tf.Tensor) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
        with tf.variable_scope(FROZEN, custom_getter=_not_trainable):
            return build_network(images, hparams, is_training=False)

    if is_training and training.soc:
        assert spec.consistency is not None
        objective = spec.consistency(run, run_frozen, batch)
    else:
        objective = spec.objective(run, batch, hparams.objective)
    total = objective.total + losses.weight_decay(tf.trainable_variables(), training.weight_decay)
    if teacher is None:
        return dataclasses.replace(objective, total=total)
    # An objective runs the network once.
    images, logits = seen[0]
    distillation = losses.distillation_loss(logits, teacher(images), training.teacher_confidence)
    return dataclasses.replace(
        objective, total=total + training.teacher_weight * distillation,
        terms={**objective.terms, 'distillation': distillation})


def _with_own_alphas(batch: losses.Batch, hparams: HParams) -> losses.Batch:
    """Puts the network's own alphas in place of some previous ones, if it takes any."""
    # Quantized networks see those from ground truth only: a second copy would need its own ranges.
    if batch.previous is None or hparams.quantization:
        return batch

    def alpha(inputs: tf.Tensor) -> tf.Tensor:
        return losses.foreground_alpha(build_network(inputs, hparams, is_training=False)[0])
    return dataclasses.replace(
        batch, previous=previous_frame.mix_in_own_alphas(alpha, batch.images, batch.previous))


def _with_previous(images: tf.Tensor, previous: Optional[tf.Tensor]) -> tf.Tensor:
    """Adds each photo's previous alpha as a fourth channel, if there are any.

    Args:
        images: `[N, H, W, 3]`; `[2 N, H, W, 3]` if each photo comes with and without texture.
        previous: alphas of N photos, `[N, H, W, 1]`, or None.
    """
    if previous is None:
        return images
    count, photos = (each.shape.as_list()[0] for each in (images, previous))
    # Evaluation does not know N, and shows each photo once.
    repeats = 1 if count == photos else count // photos
    return tf.concat([images, tf.tile(previous, [repeats, 1, 1, 1])], axis=3)


def _padded(images: tf.Tensor, channels: int) -> tf.Tensor:
    """Adds channels of zeros to `[N, H, W, C]`: without a previous alpha, that alpha is 0."""
    missing = channels - images.shape.as_list()[3]
    return tf.pad(images, [[0, 0], [0, 0], [0, 0], [0, missing]]) if missing > 0 else images


def _not_trainable(getter: Callable, *args, **kwargs) -> tf.Variable:
    return getter(*args, **dict(kwargs, trainable=False))
