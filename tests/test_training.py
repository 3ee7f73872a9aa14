"""The parts of a training step."""

import os
import signal

import pytest
import tensorflow as tf

from mmnet import checkpoints, flags, training
from mmnet.errors import UserError
from mmnet.hparams import Training
from mmnet.workers import Ranks


@pytest.mark.parametrize('step', [0, 10, 1000])
def test_the_learning_rate_falls_as_printed(step):
    options = Training(learning_rate=1e-3, learning_rate_decay=0.95, batch_size=64)
    epoch = step * 64 / 1447
    assert rate_at(options, step) == pytest.approx(1e-3 * 0.95 ** (epoch / 20), rel=1e-5)


def rate_at(options, step):
    """The learning rate of a step, for 1,447 photos."""
    global_step = tf.train.get_or_create_global_step()
    rate = training.scheduled_learning_rate(options, dataset_size=1447)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(global_step.assign(step))
        return session.run(rate)


@pytest.mark.parametrize('step, share', [(0, 0.1), (4, 0.5), (9, 1), (9 + 45, 0.5), (99, 0)])
def test_warm_up_and_cosine(step, share):
    options = Training(learning_rate=2e-3, learning_rate_schedule='cosine', warm_up_steps=9,
                       max_steps=99)
    assert rate_at(options, step) == pytest.approx(2e-3 * share, abs=1e-9)


def test_the_average_of_the_weights():
    global_step = tf.train.get_or_create_global_step()
    weight = tf.get_variable('weight', initializer=0.0, collections=[
        tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES,
        tf.GraphKeys.TRAINABLE_VARIABLES])
    step = training.minimize(-weight, 1.0, ema_decay=0.5)
    average, = [each for each in tf.global_variables()
                if each.op.name == 'weight' + checkpoints.AVERAGE]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        expected, before = 0.0, 0.0
        for count in range(1, 5):
            session.run(step)
            now = session.run(weight)
            assert now > before and session.run(global_step) == count
            # The decay is at most (1 + n) / (10 + n) after n steps.
            for decay in {min(0.5, (1 + each) / (10 + each)) for each in (count - 1, count)}:
                if session.run(average) == pytest.approx(expected * decay + now * (1 - decay)):
                    break
            else:
                raise AssertionError(count)
            expected, before = session.run(average), now


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_training_after_its_step(number, capsys):
    class RunContext:
        stopped = False

        def request_stop(self):
            self.stopped = True

    hook, context = training.StopOnSignalHook(), RunContext()
    before = {each: signal.getsignal(each) for each in hook.SIGNALS}
    # Under nohup, SIGHUP is ignored.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    hook.begin()
    try:
        hook.after_run(context, None)
        assert not context.stopped
        os.kill(os.getpid(), number)
        hook.after_run(context, None)
        assert context.stopped and hook.signal == number
        assert 'saving a checkpoint' in capsys.readouterr().err
        # A second signal meets the handler that was there before. SIGHUP comes twice by itself.
        assert signal.getsignal(number) == (
            signal.SIG_IGN if number == signal.SIGHUP else before[number])
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_nohup_stays_in_force():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hook = training.StopOnSignalHook()
    try:
        hook.begin()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for each, handler in [*hook._handlers.items(), (signal.SIGHUP, before)]:
            signal.signal(each, handler)


def test_ranks_share_the_seed_that_orders_the_photos(tmp_path, monkeypatch):
    """tf.data's shuffle mixes the graph's seed, which the Estimator sets, with its own."""
    seeds = []

    def estimator(model_fn, config, params):
        seeds.append(config.tf_random_seed)
        raise InterruptedError
    monkeypatch.setattr(tf.estimator, 'Estimator', estimator)
    settings = flags.to_hparams(flags.train_parser().parse_args(
        ['--dataset_path', 'a', '--train_dir', 'run', '--seed', '5']))
    for rank in range(2):
        with pytest.raises(InterruptedError):
            training.train(settings, str(tmp_path), None, 8, 0, ranks=Ranks(rank, 2, rank, 2))
    assert seeds == [5, 5]


def test_a_step_that_is_not_finite_changes_no_weight():
    tf.train.get_or_create_global_step()
    weight = tf.get_variable('weight', initializer=2.0)
    feed = tf.placeholder(tf.float32, [])
    step = training.minimize(weight * feed, 0.1)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match=training.NOT_FINITE):
            session.run(step, {feed: float('nan')})
        assert session.run(weight) == 2.0
        session.run(step, {feed: 1.0})
        assert session.run(weight) == pytest.approx(1.9)


def test_stock_gradients_are_tensorflow_s():
    images = tf.constant([[[[1.0, 2.0]]]])
    for stock, name in ((False, 'PointwiseConv2D'), (True, None)):
        with training.fastest_gradients(stock):
            op = tf.nn.conv2d(images, tf.ones([1, 1, 2, 3]), 1, 'SAME').op
        attributes = op.node_def.attr
        assert ('_gradient_op_type' in attributes) == (name is not None)
        if name:
            assert attributes['_gradient_op_type'].s.decode() == name


def test_a_step_updates_the_moving_statistics():
    tf.train.get_or_create_global_step()
    weight = tf.get_variable('weight', initializer=2.0)
    moving = tf.get_variable('moving', initializer=0.0, trainable=False)
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, moving.assign_add(1.0))
    step = training.minimize(weight * 1.0, 0.1)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step)
        assert session.run(moving) == 1.0


@pytest.mark.parametrize('error, named', [
    (tf.errors.ResourceExhaustedError(None, None, 'run/model.ckpt-2.data; Disk quota exceeded'),
     '--train_dir run: no space left on the disk.*from the start'),
    (tf.errors.ResourceExhaustedError(None, None, 'run/model.ckpt-2.data; Too many open files'),
     r'--train_dir run: cannot be read or written \(Too many open files\)'),
    (tf.errors.UnknownError(None, None, 'run/model.ckpt-2.data; Input/output error'),
     r'--train_dir run: cannot be read or written \(Input/output error\)'),
    (ValueError("Parent directory of run/model.ckpt doesn't exist, can't save."),
     'cannot be read or written .Parent directory'),
    (tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating tensor with shape[9]\n'
                                      '[[node run/conv (defined at /a/run/ops.py:7) ]]'),
     '--batch_size 32: out of memory'),
    (tf.errors.NotFoundError(None, None, 'Key MMNet/more/weights not found in checkpoint'),
     '--train_dir run: its checkpoints are of another network .Key MMNet/more/weights')])
def test_what_ended_a_training_is_named(error, named):
    with pytest.raises(UserError, match=named):
        with training.failures_named('run', Training(), None):
            raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(ValueError, match='^a bug$'):
        with training.failures_named('run', Training(), None):
            raise ValueError('a bug')
