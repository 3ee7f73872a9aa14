"""The training loop: what a step computes, and what happens around the steps."""

import os
import re
import signal
import sys
import time
from typing import Any, Callable, Dict

import tensorflow as tf
from tqdm import tqdm

from mmnet import checkpoints, files, losses, models, pictures, quantization
from mmnet.cpu_gradients import cpu_gradients
from mmnet.data.pipeline import as_float
from mmnet.errors import UserError

# What check_numerics prefixes its complaint with; `train` looks for it.
NOT_FINITE = 'mmnet: loss or gradient'
# The collection in which model_fn leaves the objective for ProgressHook.
TOTAL_LOSS = 'total_loss'
STRIP_EXAMPLES = 4
# In how many epochs the learning rate falls by --learning_rate_decay.
DECAY_EPOCHS = 20
# The scope of the copy that self-supervision compares with.
FROZEN = 'frozen'


def model_fn(features: Dict[str, tf.Tensor], labels: tf.Tensor, mode: str,
             params: Dict[str, Any]) -> tf.estimator.EstimatorSpec:
    """The Estimator's model function, for training.

    Args:
        features: `images`, uint8 RGB, `[N, S, S, 3]`, and with texture augmentation the same
            `untextured`.
        labels: alphas, uint8, `[N, S, S, 1]`.
        mode: `tf.estimator.ModeKeys.TRAIN`; evaluation is a loop of its own, `mmnet.evaluation`.
        params: `hparams`, the hyperparameters, `train_dir`, and `dataset_size` in images.
    """
    assert mode == tf.estimator.ModeKeys.TRAIN
    hparams, training = params['hparams'], params['hparams']['training']
    batch = losses.Batch(as_float(features['images']), as_float(labels),
                         as_float(features['untextured']) if 'untextured' in features else None)
    with fastest_gradients():
        objective = build_objective(batch, hparams, is_training=True)
    if training['init_checkpoint'] and not checkpoints.listed(params['train_dir']):
        restore_matching(training['init_checkpoint'])
    learning_rate = decayed_learning_rate(training, params['dataset_size'])
    train_op = minimize(objective.total, learning_rate)

    for name, value in list(objective.terms.items()) + [('total', objective.total)]:
        tf.summary.scalar('loss/' + name, value)
    tf.summary.scalar('learning_rate', learning_rate)
    beside = batch.alphas if objective.reference is None else objective.reference
    strip = tf.summary.image('examples', pictures.strip(
        batch.images[:STRIP_EXAMPLES], losses.foreground_alpha(objective.logits[:STRIP_EXAMPLES]),
        beside[:STRIP_EXAMPLES]), max_outputs=1, collections=[])
    strip_hook = tf.train.SummarySaverHook(
        save_steps=training['save_checkpoints_steps'], output_dir=params['train_dir'],
        summary_op=strip)
    tf.add_to_collection(TOTAL_LOSS, objective.total)
    return tf.estimator.EstimatorSpec(mode, loss=objective.total, train_op=train_op,
                                      training_hooks=[strip_hook])


def build_network(images: tf.Tensor, hparams: Dict[str, Any], is_training: bool):
    """`models.build` of the network that the hyperparameters describe, quantized if they say so."""
    settings = dict(hparams['network'])
    if hparams['training']['batch_norm_decay'] is not None:
        settings['batch_norm_decay'] = hparams['training']['batch_norm_decay']
    logits, end_points = models.build(hparams['model'], images, is_training, **settings)
    if hparams['quantization']:
        logits = quantization.quantize(images, logits, hparams['quantization'], is_training,
                                       hparams['training']['quant_delay'])
    return logits, end_points


def build_objective(batch: losses.Batch, hparams: Dict[str, Any],
                    is_training: bool) -> losses.Objective:
    """The network of the hyperparameters and what it is trained for, weight decay in the total."""
    network, training = models.network(hparams['model']), hparams['training']

    def run(images: tf.Tensor):
        # In self-supervision norms stay as they are: photos of one kind would bend them.
        return build_network(images, hparams, is_training and not training['soc'])

    def frozen(images: tf.Tensor):
        with tf.variable_scope(FROZEN, custom_getter=_not_trainable):
            return build_network(images, hparams, is_training=False)

    if is_training and training['soc']:
        objective = network.consistency(run, frozen, batch)
    else:
        settings = {name: training.get(name, default)
                    for name, default in models.settings(network.objective).items()}
        objective = network.objective(run, batch, **settings)
    decay = losses.weight_decay(tf.trainable_variables(), training['weight_decay'])
    return objective._replace(total=objective.total + decay)


def _not_trainable(getter: Callable, *args, **kwargs) -> tf.Variable:
    return getter(*args, **dict(kwargs, trainable=False))


def decayed_learning_rate(training: Dict[str, Any], dataset_size: int) -> tf.Tensor:
    """lr × decay^(epoch/20), a scalar (PortraitNet's Section 4.3); constant for a decay of 1."""
    epochs = (tf.cast(tf.train.get_or_create_global_step(), tf.float32) *
              (training['batch_size'] / dataset_size))
    return training['learning_rate'] * training['learning_rate_decay'] ** (epochs / DECAY_EPOCHS)


def fastest_gradients():
    """The context to build a network in for this machine."""
    if tf.config.experimental.list_physical_devices('GPU'):
        return tf.get_default_graph().gradient_override_map({})
    return cpu_gradients(tf.get_default_graph())


def minimize(loss: tf.Tensor, learning_rate: float) -> tf.Operation:
    """A step of Adam and of batch norm's moving statistics.

    A loss or gradient that is not finite ends the step before it changes a weight, so that no
    checkpoint ever holds one.
    """
    optimizer = tf.train.AdamOptimizer(learning_rate)
    # Gating would have every gradient function's results computed, needed or not. The check below
    # already keeps weights from changing while gradients are computed.
    gradients, variables = zip(*optimizer.compute_gradients(
        loss, gate_gradients=optimizer.GATE_NONE))
    finite = tf.check_numerics(loss + tf.global_norm(gradients), NOT_FINITE)
    with tf.control_dependencies([finite] + tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return optimizer.apply_gradients(zip(gradients, variables), tf.train.get_global_step())


def restore_matching(checkpoint: str) -> None:
    """Starts the model variables from a checkpoint where names and shapes match, and says which.

    A frozen copy starts from the same as the network itself.

    Raises:
        UserError: for a checkpoint that cannot be read or fits nothing.
    """
    try:
        shapes = dict(tf.train.list_variables(checkpoint))
    except (tf.errors.OpError, ValueError):
        raise UserError('--init_checkpoint {}: is no checkpoint that can be read; give its path '
                        'without .index or .data, or its directory'.format(checkpoint))
    ours = {variable.op.name: variable for variable in tf.model_variables()}
    theirs = {name: re.sub(f'^{FROZEN}/', '', name) for name in ours}
    matching = [name for name, variable in ours.items()
                if shapes.get(theirs[name]) == variable.shape.as_list()]
    if not matching:
        raise UserError('--init_checkpoint {}: none of its {} variables has a name and shape of '
                        'this network; check --model and --width_multiplier'.format(
                            checkpoint, len(shapes)))
    for frozen in (False, True):
        tf.train.init_from_checkpoint(checkpoint, {
            theirs[name]: ours[name] for name in matching if (theirs[name] != name) == frozen})
    print(f'restored {len(matching)} of {len(ours)} variables from {checkpoint}')
    for name in sorted(set(ours) - set(matching)):
        there = (f'has shape {shapes[theirs[name]]} there' if theirs[name] in shapes
                 else 'is not there')
        print(f'  not restored: {name} {there}')


def train(hparams: Dict[str, Any], train_dir: str, input_fn: Callable[[], tf.data.Dataset],
          dataset_size: int, first_step: int) -> int:
    """Trains until `max_steps`, Ctrl-C or SIGTERM; checkpoints and summaries go to `train_dir`.

    Args:
        hparams: the hyperparameters.
        train_dir: of a checked resume (`checkpoints.prepare_resume`).
        input_fn: builds the dataset.
        dataset_size: images in it.
        first_step: the step of the checkpoint that training goes on from.

    Returns:
        the exit status: 0 when `max_steps` is reached, 128 + the signal that ended it before.

    Raises:
        UserError: when the loss is no longer finite.
    """
    training = hparams['training']
    # Evaluation runs beside training, maybe on the same GPU: take only the memory that is needed.
    session_config = tf.ConfigProto(gpu_options=tf.GPUOptions(allow_growth=True))
    config = tf.estimator.RunConfig(
        model_dir=train_dir, tf_random_seed=training['seed'], session_config=session_config,
        save_checkpoints_steps=training['save_checkpoints_steps'],
        keep_checkpoint_max=training['keep_checkpoint_max'],
        save_summary_steps=training['save_summary_steps'], log_step_count_steps=None)
    estimator = tf.estimator.Estimator(
        model_fn, config=config, params={
            'hparams': hparams, 'train_dir': train_dir, 'dataset_size': dataset_size})
    progress = ProgressHook(train_dir, first_step, training)
    stop = StopOnSignalHook()
    try:
        estimator.train(input_fn, hooks=[progress, stop], max_steps=training['max_steps'],
                        saving_listeners=[SavedStepsListener(train_dir)])
    except tf.errors.InvalidArgumentError as error:
        if NOT_FINITE not in error.message:
            raise
        good = checkpoints.listed(train_dir)
        raise UserError('the loss or a gradient became NaN or infinite at step {}; the last good '
                        'checkpoint is {}; go on from it with a lower --learning_rate'.format(
                            progress.step + 1, good[-1] if good else 'none'))
    except tf.errors.ResourceExhaustedError:
        raise UserError(f"--batch_size {training['batch_size']}: out of memory; try a smaller one")
    finally:
        progress.close()
    if stop.signal is None:
        return 0
    print('stopped at step {}, checkpoint saved; the same command goes on from there'.format(
        progress.step), file=sys.stderr)
    return 128 + stop.signal


class ProgressHook(tf.train.SessionRunHook):
    """Speed, loss and time left: a bar on a terminal, plain lines elsewhere, a curve on disk."""

    def __init__(self, train_dir: str, first_step: int, training: Dict[str, Any]):
        self.step = first_step
        self._batch_size = training['batch_size']
        self._every = training['save_summary_steps']
        self._max_steps = training['max_steps']
        self._writer = tf.summary.FileWriterCache.get(train_dir)
        self._bar = None
        self._mark = None

    def begin(self) -> None:
        self._loss, = tf.get_collection(TOTAL_LOSS)

    def after_create_session(self, session, coord) -> None:
        self._bar = tqdm(total=self._max_steps, initial=self.step, unit=' steps',
                         disable=not sys.stderr.isatty(), dynamic_ncols=True)

    def before_run(self, run_context) -> tf.train.SessionRunArgs:
        return tf.train.SessionRunArgs(self._loss)

    def after_run(self, run_context, run_values) -> None:
        self.step += 1
        loss = run_values.results
        now = time.time()
        self._bar.update()
        if self._mark is None:
            # The first step pays for start-up and does not count.
            self._mark = (self.step, now)
        steps, seconds = self.step - self._mark[0], now - self._mark[1]
        if not steps or self.step % self._every and self.step != self._max_steps:
            return
        images_per_second = steps * self._batch_size / seconds
        self._mark = (self.step, now)
        self._writer.add_summary(tf.Summary(value=[tf.Summary.Value(
            tag='images_per_second', simple_value=images_per_second)]), self.step)
        self._bar.set_postfix_str(f'{images_per_second:.1f} images/s, loss {loss:.4f}')
        if self._bar.disable:
            left = (self._max_steps - self.step) * seconds / steps
            print('step {}/{}  loss {:.4f}  {:.2f} steps/s  {:.1f} images/s  {} left'.format(
                self.step, self._max_steps, loss, steps / seconds, images_per_second,
                tqdm.format_interval(left)), flush=True)

    def close(self) -> None:
        """Ends the bar, however training ended."""
        if self._bar is not None:
            self._bar.close()


class SavedStepsListener(tf.train.CheckpointSaverListener):
    """Writes down which checkpoints there have been; the Estimator deletes old ones."""

    def __init__(self, train_dir: str):
        self._path = os.path.join(train_dir, checkpoints.SAVED)

    def after_save(self, session, global_step_value: int) -> None:
        steps = set(files.read_json(self._path) or [])
        files.write_json(sorted(steps | {int(global_step_value)}), self._path)


class StopOnSignalHook(tf.train.SessionRunHook):
    """Lets the running step end, then training leave with a checkpoint; a second signal kills."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self):
        self.signal = None
        self._handlers = {}

    def begin(self) -> None:
        self._handlers = {number: signal.signal(number, self._on_signal)
                          for number in self.SIGNALS}

    def after_run(self, run_context, run_values) -> None:
        if self.signal is not None:
            run_context.request_stop()

    def _on_signal(self, number: int, frame) -> None:
        self.signal = number
        for each, handler in self._handlers.items():
            signal.signal(each, handler)
        print('\nending this step, then saving a checkpoint', file=sys.stderr)
