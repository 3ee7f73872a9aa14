"""One rank without Horovod, and two real ones with it."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from mmnet import workers
from mmnet.errors import UserError
from tests.helpers import HOROVODRUN, ROOT


def test_without_a_launcher_there_is_one_rank():
    ranks = workers.start()
    assert ranks == workers.Ranks(0, 1, 0, 1) and ranks.first
    tensor = tf.constant(1.0)
    assert ranks.mean(tensor) is tensor and ranks.largest(tensor) is tensor
    assert ranks.share('value') == 'value' and ranks.hooks() == []
    assert ranks.session_config().intra_op_parallelism_threads == 0
    assert 'horovod' not in sys.modules


def test_ranks_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, 'cpu_count', lambda: 8)
    config = workers.Ranks(5, 8, 1, 4).session_config()
    assert config.intra_op_parallelism_threads == 2 and config.gpu_options.allow_growth


def test_each_rank_gets_a_gpu_of_those_that_may_be_used():
    assert [workers.gpu_of(rank, 2, None) for rank in (0, 1)] == ['0', '1']
    assert [workers.gpu_of(rank, 2, '5,7') for rank in (0, 1)] == ['5', '7']
    # A machine may have fewer GPUs than workers.
    assert workers.gpu_of(1, 2, None, 2) == '1'
    with pytest.raises(UserError, match='2 GPUs for 3 workers'):
        workers.gpu_of(0, 3, None, 2)
    assert workers.gpu_of(2, 3, '', 2) == '', 'hidden'
    # This TensorFlow is built for CPUs.
    assert workers.count_gpus() == 0
    # One worker on each of several machines.
    assert workers.gpu_of(0, 1, None) == '0' and workers.gpu_of(0, 1, '3') == '3'
    assert workers.gpu_of(1, 2, '') == workers.gpu_of(1, 2, '-1') == '', 'none may be used'
    # SLURM gives each rank one.
    assert workers.gpu_of(1, 2, '5') == '5'
    with pytest.raises(UserError, match='CUDA_VISIBLE_DEVICES=5,7: names 2 GPUs for 3 workers'):
        workers.gpu_of(1, 3, '5,7')


def test_a_launcher_without_horovod_is_named(monkeypatch):
    monkeypatch.setenv('HOROVOD_SIZE', '2')
    monkeypatch.setattr(workers.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='setup.sh --horovod'):
        workers.start()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(HOROVODRUN), reason='needs scripts/setup.sh --horovod')
def test_two_ranks_of_four_equal_one_of_eight(tmp_path):
    worker = [sys.executable, os.path.join(ROOT, 'tests', 'workers_worker.py')]
    one, two = str(tmp_path / 'one.npz'), str(tmp_path / 'two.npz')
    subprocess.run(worker + [one], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
    subprocess.run([HOROVODRUN, '-np', '2', *worker, two], check=True, cwd=ROOT, timeout=200,
                   stderr=subprocess.DEVNULL)
    alone, together = np.load(one), np.load(two)
    assert alone['size'] == 1 and together['size'] == 2 and together['shared'] == 0
    for name in set(alone.files) - {'size', 'shared'}:
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-4, atol=1e-6, err_msg=name)
