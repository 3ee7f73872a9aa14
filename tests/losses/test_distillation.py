"""The distillation loss against numpy."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import losses
from tests.helpers import value

RNG = np.random.RandomState(0)
LOGITS = RNG.normal(size=[3, 4, 5, 2]).astype(np.float32)
TEACHER = np.stack([np.full([4, 5, 1], 0.5), RNG.uniform(0, 0.1, [4, 5, 1]),
                    RNG.uniform(0.9, 1, [4, 5, 1])]).astype(np.float32)


def expected(rows):
    alpha = 1 / (1 + np.exp(LOGITS[rows, ..., :1] - LOGITS[rows, ..., 1:]))
    truth = TEACHER[rows]
    entropy = -(truth * np.log(alpha) + (1 - truth) * np.log(1 - alpha))
    return abs(alpha - truth).mean() + entropy.mean()


@pytest.mark.parametrize('confidence, rows', [(0.0, [0, 1, 2]), (0.5, [1, 2])])
def test_photos_that_the_teacher_is_sure_of_count(confidence, rows):
    loss = losses.distillation_loss(tf.constant(LOGITS), tf.constant(TEACHER), confidence)
    assert value(loss) == pytest.approx(expected(rows), rel=1e-5)


def test_without_any_the_loss_and_its_gradient_are_0():
    logits = tf.constant(LOGITS)
    loss = losses.distillation_loss(logits, tf.constant(TEACHER), 1.0)
    assert value(loss) == 0
    assert (value(tf.gradients(loss, logits)[0]) == 0).all()
