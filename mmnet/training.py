"""The training loop: the computation of a step, and the hooks around the steps.

The step itself is `model_fn`; an Estimator owns the loop.
"""

import contextlib
import errno
import os
import re
import signal
import sys
import tempfile
import time
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Optional, Union

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mmnet import checkpoints, cli, files, losses, summaries, warm_start
from mmnet.cpu_gradients import cpu_gradients
from mmnet.errors import UserError
from mmnet.evaluation import STRIP_EXAMPLES
from mmnet.graph import FROZEN, as_float, build_objective
from mmnet.hparams import HParams, Training
from mmnet.quantization import range_variables
from mmnet.teacher import Teacher
from mmnet.workers import LOST, Ranks

# `check_numerics` begins its complaint with this, and `train` looks for it.
NOT_FINITE = 'mmnet: loss or gradient'
# A full disk, or a full quota, is reported with these words.
NO_SPACE = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))
# The collection in which `model_fn` leaves the loss for ProgressHook.
TOTAL_LOSS = 'total_loss'
# Epochs in which the learning rate falls by a factor of --learning_rate_decay.
DECAY_EPOCHS = 20


def model_fn(features: Dict[str, tf.Tensor], labels: tf.Tensor, mode: str,
             params: Dict[str, Any]) -> tf.estimator.EstimatorSpec:
    """Builds a training step, as the Estimator's model function.

    Args:
        features: uint8 tensors by name. `images` is RGB, `[N, S, S, 3]`. These may be absent:
            `untextured`, the images before texture augmentation; `unlabelled`, `[M, S, S, 3]`;
            `previous`, the previous frames' alphas, `[N, S, S, 1]`.
        labels: alphas, uint8, `[N, S, S, 1]`.
        mode: `tf.estimator.ModeKeys.TRAIN`; evaluation has a loop of its own.
        params: `hparams`, `train_dir`, `dataset_size` in images, `first_step`, `teacher`, which
            may be None, and the `ranks` that train.

    Returns:
        the step and its loss; on the first rank, also what TensorBoard shows.

    Raises:
        UserError: see `warm_start.restore_matching`.
    """
    assert mode == tf.estimator.ModeKeys.TRAIN
    hparams: HParams = params['hparams']
    training, ranks = hparams.training, params['ranks']
    if training.seed is not None:
        # Each rank, and each resumed run, draws other numbers for dropout and the like. The order
        # of the photos, which all ranks share, is made already.
        tf.set_random_seed(training.seed + ranks.rank + params['first_step'])
    batch = losses.Batch(alphas=as_float(labels), **{
        name: as_float(pixels) for name, pixels in features.items()})
    with fastest_gradients(training.stock_gradients):
        objective = build_objective(batch, hparams, is_training=True, teacher=params['teacher'])
    # The other ranks receive the first one's variables.
    if ranks.first and training.init_checkpoint and not checkpoints.listed(params['train_dir']):
        warm_start.restore_matching(training.init_checkpoint)
    learning_rate = scheduled_learning_rate(training, params['dataset_size'], ranks.size)
    train_op = minimize(objective.total, learning_rate, training.ema_decay, ranks)
    tf.add_to_collection(TOTAL_LOSS, objective.total)
    if not ranks.first:
        return tf.estimator.EstimatorSpec(mode, loss=objective.total, train_op=train_op)

    for name, value in [*objective.terms.items(), ('total', objective.total)]:
        tf.summary.scalar('loss/' + name, value)
    tf.summary.scalar('learning_rate', learning_rate)
    return tf.estimator.EstimatorSpec(
        mode, loss=objective.total, train_op=train_op,
        training_hooks=[strip_hook(objective, batch, training, params['train_dir'])])


def strip_hook(objective: losses.Objective, batch: losses.Batch, training: Training,
               train_dir: str) -> tf.train.SummarySaverHook:
    """Makes the hook that writes a picture strip with every checkpoint."""
    truth = batch.alphas if objective.reference is None else objective.reference
    images, logits, truth = (each[:STRIP_EXAMPLES] for each in (
        batch.images, objective.logits, truth))
    strip = summaries.draw_strip(images, losses.foreground_alpha(logits), truth)
    return tf.train.SummarySaverHook(
        save_steps=training.save_checkpoints_steps, output_dir=train_dir,
        summary_op=tf.summary.image('examples', strip, max_outputs=1, collections=[]))


def scheduled_learning_rate(training: Training, dataset_size: int, workers: int = 1) -> tf.Tensor:
    """Computes the learning rate of the current step, a scalar.

    With step t, last step T and warm-up steps w, it is lr · min(1, (t + 1)/(w + 1)) · f. The
    exponential schedule has f = decay^(epoch/20), and counts epochs from step 0 (PortraitNet's
    Section 4.3). The cosine has f = ½(1 + cos π(t − w)/(T − w)), and 1 before w. With
    `scale_learning_rate`, lr is multiplied by the number of workers.

    Args:
        training: the schedule.
        dataset_size: photos in an epoch.
        workers: that train together.
    """
    step = tf.cast(tf.train.get_or_create_global_step(), tf.float32)
    rise = training.warm_up_steps
    if training.learning_rate_schedule == 'cosine':
        progress = tf.clip_by_value((step - rise) / (training.max_steps - rise), 0.0, 1.0)
        falling = 0.5 * (1 + tf.cos(np.pi * progress))
    else:
        epochs = step * (workers * training.batch_size / dataset_size)
        falling = training.learning_rate_decay ** (epochs / DECAY_EPOCHS)
    highest = training.learning_rate * (workers if training.scale_learning_rate else 1)
    return highest * falling * tf.minimum(1.0, (step + 1) / (rise + 1))


def fastest_gradients(stock: bool = False) -> ContextManager:
    """Returns the context in which to build a network for training on this machine.

    Args:
        stock: use TensorFlow's own gradients on a CPU, too.
    """
    if stock or tf.config.experimental.list_physical_devices('GPU'):
        return contextlib.nullcontext()
    return cpu_gradients(tf.get_default_graph())


def minimize(loss: tf.Tensor, learning_rate: Union[tf.Tensor, float],
             ema_decay: Optional[float] = None, ranks: Ranks = Ranks()) -> tf.Operation:
    """Makes a step of Adam, of batch norm's moving statistics, and of the weights' average.

    Gradients and moving statistics are averaged over all ranks. A loss or gradient that is not
    finite ends the step on all of them before any weight changes, so no checkpoint ever holds one.

    Args:
        loss: a scalar.
        learning_rate: Adam's.
        ema_decay: of the weights' average; None keeps none.
        ranks: that train together.

    Returns:
        the step. It raises InvalidArgumentError, with the message `NOT_FINITE`, at NaN or infinity.
    """
    optimizer = tf.train.AdamOptimizer(learning_rate)
    # Gating would compute every result of a gradient function, needed or not. The check below
    # already keeps weights from changing while gradients are computed.
    gradients, variables = zip(*optimizer.compute_gradients(
        loss, gate_gradients=optimizer.GATE_NONE))
    gradients = [None if gradient is None else ranks.mean(gradient) for gradient in gradients]
    # What is not finite on one rank is not finite in the mean, so all ranks end at the same step.
    finite = tf.check_numerics(ranks.mean(loss) + tf.global_norm(gradients), NOT_FINITE)
    statistics = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies([finite, *statistics]):
        updates = [] if ranks.size == 1 else [
            each.assign(ranks.mean(each.read_value())) for each in moving_statistics()]
    with tf.control_dependencies([finite, *statistics, *updates]):
        step = optimizer.apply_gradients(zip(gradients, variables), tf.train.get_global_step())
    if ema_decay is None:
        return step
    # The number of steps shortens the average at first, when weights change fast.
    average = tf.train.ExponentialMovingAverage(ema_decay, tf.train.get_global_step())
    with tf.control_dependencies([step]):
        return average.apply([variable for variable in tf.model_variables()
                              if not variable.op.name.startswith(FROZEN + '/')])


def moving_statistics() -> List[tf.Variable]:
    """Lists the variables that a step changes other than by gradients: statistics and ranges."""
    trained = {*tf.trainable_variables()}
    return [each for each in [*tf.model_variables(), *range_variables()] if each not in trained and
            not each.op.name.startswith(FROZEN + '/')]


def train(hparams: HParams, train_dir: str, input_fn: Callable[[], tf.data.Dataset],
          dataset_size: int, first_step: int, teacher: Optional[Teacher] = None,
          ranks: Ranks = Ranks()) -> int:
    """Trains until `max_steps` or a signal; writes checkpoints and summaries.

    Signals are Ctrl-C, SIGTERM, and what a closed terminal or pipe sends.

    Args:
        hparams: of the run.
        train_dir: where to write; `checkpoints.prepare_resume` has seen it.
        input_fn: builds the dataset.
        dataset_size: images in the dataset.
        first_step: step of the checkpoint that training resumes from.
        teacher: alphas to learn from.
        ranks: that train together; the first one writes.

    Returns:
        the exit status: 0 at `max_steps`, or 128 + the signal that ended training before.

    Raises:
        UserError: see `failures_named`; also if training ended early without a reason.
    """
    training = hparams.training
    stop = StopOnSignalHook(ranks)
    progress = ProgressHook(train_dir, first_step, training, stop, ranks)
    # An Estimator needs a model directory, even on a rank that writes nothing.
    scratch = None if ranks.first else tempfile.TemporaryDirectory()
    config = tf.estimator.RunConfig(
        model_dir=scratch.name if scratch else train_dir,
        tf_random_seed=training.seed, session_config=ranks.session_config(),
        save_checkpoints_steps=training.save_checkpoints_steps if ranks.first else None,
        keep_checkpoint_max=training.keep_checkpoint_max,
        save_summary_steps=training.save_summary_steps if ranks.first else None,
        log_step_count_steps=None)
    estimator = tf.estimator.Estimator(
        model_fn, config=config, params={
            'hparams': hparams, 'train_dir': train_dir, 'dataset_size': dataset_size,
            'first_step': first_step, 'teacher': teacher, 'ranks': ranks})
    hooks = [progress, stop, *ranks.hooks()]
    if ranks.first:
        hooks.append(SaveHook(train_dir, save_steps=training.save_checkpoints_steps))
    try:
        with failures_named(train_dir, training, progress):
            estimator.train(
                input_fn, hooks=hooks, max_steps=training.max_steps,
                saving_listeners=[SavedStepsListener(train_dir)] if ranks.first else None)
            # horovodrun kills all ranks soon after one exits, so all wait here until rank 0 has
            # saved.
            ranks.share(None)
    finally:
        progress.close()
        if scratch:
            scratch.cleanup()
    if stop.signal is not None:
        if ranks.first:
            tell(f'stopped at step {progress.step}, checkpoint saved; the same command resumes '
                 f'from there')
        return 128 + stop.signal
    if progress.step < training.max_steps:
        # TensorFlow takes some failed writes for the end of the data.
        raise UserError(f'--train_dir {train_dir}: training ended early, at step '
                        f'{progress.step} of {training.max_steps}; the disk may be full: free some '
                        f'space, and run the same command again')
    return 0


def tell(text: str) -> None:
    """Prints to standard error, if anybody is still there to read it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def failures_named(train_dir: str, training: Training, progress: 'ProgressHook') -> Iterator[None]:
    """Says what TensorFlow's errors mean for a run.

    Raises:
        UserError: for a loss that is not finite, a lack of memory or disk space, an unusable train
            directory, or a lost worker.
    """
    try:
        yield
    except (tf.errors.OpError, ValueError) as error:
        message = str(getattr(error, 'message', error))
        good = checkpoints.listed(train_dir)
        again = f'the same command resumes from {good[-1] if good else "the start"}'
        if LOST in message and isinstance(error, (tf.errors.UnknownError, tf.errors.AbortedError)):
            raise UserError('another worker ended; run the same command again, with any number of '
                            'workers, to resume from the last checkpoint')
        missing = checkpoints.missing_variable(error)
        if missing:
            raise UserError(f'--train_dir {train_dir}: its checkpoints are of another network '
                            f'({missing}); choose another directory')
        if NOT_FINITE in message:
            raise UserError(f'the loss or a gradient became NaN or infinite at step '
                            f'{progress.step + 1}; lower --learning_rate, and {again}')
        if any(each in message for each in NO_SPACE):
            raise UserError(f'--train_dir {train_dir}: no space left on the disk; free some, '
                            f'and {again}')
        # Later lines name places of TensorFlow's own.
        place = re.escape(os.path.join(train_dir, ''))
        if re.search(r'(^|[\s"\':(])' + place, message.split('\n')[0]):
            raise UserError(f'--train_dir {train_dir}: cannot be read or written '
                            f'({checkpoints.reason_of(error)}); fix that, and {again}')
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise UserError(f'--batch_size {training.batch_size}: out of memory; try a smaller one')
        raise


class ProgressHook(tf.train.SessionRunHook):
    """Shows speed, loss and time left: a bar on a terminal, lines elsewhere, a curve on disk."""

    def __init__(self, train_dir: str, first_step: int, training: Training,
                 stop: 'StopOnSignalHook', ranks: Ranks = Ranks()):
        self.step = first_step
        self._training = training
        self._stop = stop
        self._ranks = ranks
        self._writer = tf.summary.FileWriterCache.get(train_dir) if ranks.first else None
        self._bar: Any = None
        # Step and time at which the speed was last shown.
        self._mark: Any = None

    def begin(self) -> None:
        self._loss, = tf.get_collection(TOTAL_LOSS)

    def after_create_session(self, session, coord) -> None:
        self._bar = tqdm(total=self._training.max_steps, initial=self.step, unit=' steps',
                         disable=None if self._ranks.first else True,
                         dynamic_ncols=True)

    def before_run(self, run_context) -> tf.train.SessionRunArgs:
        return tf.train.SessionRunArgs(self._loss)

    def after_run(self, run_context, run_values) -> None:
        self.step += 1
        self._bar.update()
        if self._writer is None:
            return
        if self._mark is None:
            # The first step includes start-up and does not count.
            self._mark = (self.step, time.time())
        elif (self.step % self._training.save_summary_steps == 0 or
                self.step == self._training.max_steps):
            self._show(run_values.results)

    def _show(self, loss: float) -> None:
        now, (last_step, last_time) = time.time(), self._mark
        self._mark = (self.step, now)
        steps_per_second = (self.step - last_step) / (now - last_time)
        images_per_second = steps_per_second * self._training.batch_size * self._ranks.size
        self._writer.add_summary(tf.Summary(value=[tf.Summary.Value(
            tag='images_per_second', simple_value=images_per_second)]), self.step)
        self._bar.set_postfix_str(f'{images_per_second:.1f} images/s, loss {loss:.4f}')
        if self._bar.disable:
            left = (self._training.max_steps - self.step) / steps_per_second
            try:
                print(f'step {self.step}/{self._training.max_steps}  loss {loss:.4f}  '
                      f'{steps_per_second:.2f} steps/s  {images_per_second:.1f} images/s  '
                      f'{tqdm.format_interval(left)} left', flush=True)
            except OSError as error:
                # The reader, such as `head`, has left: save what was trained, then end.
                if error.errno not in (errno.EPIPE, errno.EIO):
                    tell(f'the output cannot be written ({error.strerror})')
                cli.discard_output()
                self._stop.signal = signal.SIGPIPE

    def close(self) -> None:
        """Ends the bar, however training ended."""
        if self._bar is not None:
            self._bar.close()


class SaveHook(tf.train.CheckpointSaverHook):
    """Saves checkpoints, and the graph for TensorBoard.

    TensorFlow's own hook writes the graph three times, once as text. On a CPU, that takes a seventh
    of the start.
    """

    def after_create_session(self, session, coord) -> None:
        self._summary_writer.add_graph(session.graph)
        step = session.run(self._global_step_tensor)
        self._save(session, step)
        self._timer.update_last_triggered_step(step)


class SavedStepsListener(tf.train.CheckpointSaverListener):
    """Notes the step of every checkpoint; the Estimator deletes old ones."""

    def __init__(self, train_dir: str):
        self._train_dir = train_dir

    def after_save(self, session, global_step_value: int) -> None:
        steps = checkpoints.saved_steps(self._train_dir)
        files.write_json(sorted({*steps, int(global_step_value)}),
                         os.path.join(self._train_dir, checkpoints.SAVED))


class StopOnSignalHook(tf.train.SessionRunHook):
    """Ends training with a checkpoint after the running step; a second signal kills.

    A signal to any rank ends all of them after the same step. A closed terminal sends SIGHUP, which
    `nohup` ignores.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, ranks: Ranks = Ranks()):
        self.signal: Optional[int] = None
        self._ranks = ranks
        self._handlers: Dict[int, Any] = {}
        # The number of a signal that came to any rank before the step, or 0.
        self._arrived: Any = None

    def begin(self) -> None:
        self._handlers = {number: signal.signal(number, self._on_signal)
                          for number in self.SIGNALS
                          if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN}
        if self._ranks.size > 1:
            arrived = tf.numpy_function(lambda: np.int32(self.signal or 0), [], tf.int32)
            arrived.set_shape([])
            self._arrived = self._ranks.largest(arrived)

    def before_run(self, run_context) -> tf.train.SessionRunArgs:
        return tf.train.SessionRunArgs(self._arrived)

    def after_run(self, run_context, run_values) -> None:
        if self._ranks.size > 1:
            # This rank may know of a signal that the others will hear of in the next step.
            if run_values.results:
                self.signal = int(run_values.results)
                run_context.request_stop()
        elif self.signal is not None:
            run_context.request_stop()

    def _on_signal(self, number: int, frame) -> None:
        self.signal = number
        for each, handler in self._handlers.items():
            # A closed terminal sends SIGHUP twice: the shell does, and the kernel.
            signal.signal(each, signal.SIG_IGN if each == signal.SIGHUP else handler)
        if self._ranks.first:
            tell('\nending this step, then saving a checkpoint')
