"""Trainings of two real workers on this machine, by Horovod."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from mmnet import checkpoints, hparams
from tests.helpers import HOROVODRUN, ROOT, SMALL, train

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('workers'), pytest.mark.skipif(
    not os.path.exists(HOROVODRUN), reason='needs scripts/setup.sh --horovod')]


def start(dataset, train_dir, *flags):
    command = [HOROVODRUN, '-np', '2', '-H', 'localhost:2', sys.executable,
               os.path.join(ROOT, 'train.py'), '--dataset_path', dataset, '--train_dir', train_dir,
               *SMALL, *flags]
    return subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, universal_newlines=True)


def rank_of(number, train_dir):
    """The process of a rank of the training in a directory."""
    for process in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{process}/cmdline') as command, \
                    open(f'/proc/{process}/environ') as environment:
                words = command.read().split('\0')
                if str(train_dir) in words and 'train.py' in words[1] and \
                        f'HOROVOD_RANK={number}\0' in environment.read():
                    return int(process)
        except OSError:
            continue
    raise AssertionError(f'rank {number} does not run')


def wait_for_checkpoint(train_dir):
    for _ in range(240):
        if checkpoints.listed(str(train_dir)):
            return
        time.sleep(0.5)
    raise AssertionError('no checkpoint came')


def losses_in(text):
    return [float(found) for found in re.findall(r'loss (\d+\.\d+)', text)]


def test_two_workers_train_as_one_of_twice_the_batch(dataset, tmp_path):
    flags = ('--max_steps', 12, '--learning_rate', 3e-3)
    process = start(dataset, tmp_path / 'two', *flags)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    assert text.count('mmnet, 10 pairs, training in') == 1 and '2 workers' in text
    status, alone, err = train(dataset, tmp_path / 'one', *flags, '--batch_size', 8)
    assert status == 0, err
    # Batch norm sees four images instead of eight, so the losses are alike and not equal.
    assert len(losses_in(text)) == len(losses_in(alone)) > 2
    for together, single in zip(losses_in(text)[1:], losses_in(alone)[1:]):
        assert together == pytest.approx(single, rel=0.25)
    assert losses_in(text)[-1] < losses_in(text)[0]
    assert hparams.read(str(tmp_path / 'two')).training.batch_size == 4
    assert [checkpoints.step_of(each) for each in checkpoints.listed(str(tmp_path / 'two'))] == [
        0, 12]
    # A training that is finished ends at once on all ranks.
    process = start(dataset, tmp_path / 'two', *flags)
    text, _ = process.communicate(timeout=100)
    assert process.returncode == 0 and text.count('already at step 12') == 1, text


def test_a_signal_to_one_ends_all_with_one_checkpoint(dataset, tmp_path):
    train_dir = tmp_path / 'run'
    process = start(dataset, train_dir, '--max_steps', 100000)
    wait_for_checkpoint(train_dir)
    time.sleep(3)
    os.kill(rank_of(1, train_dir), signal.SIGTERM)
    text, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and text.count('checkpoint saved') == 1, text
    steps = [checkpoints.step_of(each) for each in checkpoints.listed(str(train_dir))]
    assert steps[0] == 0 and steps[-1] > 0 and len(steps) == 2


def test_a_killed_worker_ends_the_others_and_one_goes_on(dataset, tmp_path):
    train_dir = tmp_path / 'run'
    process = start(dataset, train_dir, '--max_steps', 100000, '--save_checkpoints_steps', 5)
    wait_for_checkpoint(train_dir)
    time.sleep(5)
    begin = time.time()
    os.kill(rank_of(1, train_dir), signal.SIGKILL)
    text, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and time.time() - begin < 60
    step = checkpoints.step_of(checkpoints.listed(str(train_dir))[-1])
    status, out, err = train(dataset, train_dir, '--max_steps', step + 2)
    assert status == 0 and f'going on from {train_dir}/model.ckpt-{step}' in out, err


def test_workers_are_timed_against_one_process():
    command = [sys.executable, os.path.join(ROOT, 'scripts', 'benchmark_workers.py'),
               '--image_size', '32', '--width_multiplier', '0.5', '--batch_size', '4',
               '--steps', '1', '--turns', '1']
    ended = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True, timeout=300)
    assert ended.returncode == 0
    one, two = (line.split() for line in ended.stdout.splitlines()[2:])
    assert one[0] == '1' and two[0] == '2' and one[2] == '1.00' and one[5] == '0'
    # Weights, biases and moving statistics of MMNet-0.5, four bytes each.
    assert int(two[5]) == 4 * 68996
