"""Fixtures and ordering."""

import pytest
import tensorflow as tf

from mmnet.models import mmnet
from tests.helpers import write_split

# Rewriting a network's graph takes longer than the few steps that a test runs.
tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})


def pytest_collection_modifyitems(items):
    """Runs the longest tests first, so that no worker ends up alone with one."""
    longest = ['test_quickstart', 'end_to_end/test_export', 'end_to_end/test_rivals', 'end_to_end']
    items.sort(key=lambda item: next((place for place, name in enumerate(longest)
                                      if name in item.nodeid), len(longest)))


@pytest.fixture(autouse=True)
def graph():
    """A new graph for every test, whose random weights are the same in every run."""
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(0)
        yield graph


@pytest.fixture(autouse=True)
def same_random_numbers(request):
    """A module's RNG begins anew for every test, whichever tests ran before."""
    if hasattr(request.module, 'RNG'):
        request.module.RNG.seed(0)


@pytest.fixture
def dataset(tmp_path):
    """A dataset of 10 training and 5 test pairs."""
    write_split(tmp_path / 'dataset', 'train', 10)
    return write_split(tmp_path / 'dataset', 'test', 5, seed=1)


@pytest.fixture
def small_mmnet(monkeypatch):
    """MMNet with few of its blocks, which is built in a second."""
    monkeypatch.setattr(mmnet, 'TABLE', [row for row in mmnet.TABLE if row.name in (
        'initial', 'encoder_1', 'encoder_9', 'encoder_10', 'decoder_2', 'decoder_3', 'final')])
