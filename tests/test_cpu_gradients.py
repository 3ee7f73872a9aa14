"""The gradients against TensorFlow's own, of whole networks."""

import numpy as np
import pytest
import tensorflow as tf

from mmnet import cpu_gradients, losses, models


def gradients(name, size, overridden):
    with tf.Graph().as_default() as graph:
        rng = np.random.RandomState(0)
        images = tf.constant(rng.rand(4, size, size, 3).astype(np.float32))
        alphas = tf.constant((rng.rand(4, size, size, 1) > 0.5).astype(np.float32))
        context = cpu_gradients.cpu_gradients(graph) if overridden \
            else graph.gradient_override_map({})
        with context:
            logits, end_points = models.build(name, images, True)
            loss = tf.add_n(list(losses.matting_losses(
                images, logits, end_points.get('aux_logits'), alphas).values()))
        variables = tf.trainable_variables()
        grads = tf.gradients(loss, variables)
        rng = np.random.RandomState(2)
        values = {}
        for variable in tf.global_variables():
            scale = 0.3 if 'weights' in variable.name else 0.05
            values[variable.initial_value] = rng.normal(
                float('gamma' in variable.name), scale, variable.shape.as_list())
        # Both graphs are rewritten: rounding depends on it, and the bounds below are close to it.
        with tf.Session(config=tf.ConfigProto()) as session:
            session.run(tf.global_variables_initializer(), values)
            return [variable.op.name for variable in variables], session.run([loss] + grads)


@pytest.mark.parametrize('large', [
    pytest.param(1, id='recomputed'),
    pytest.param(2 ** 40, id='kept', marks=pytest.mark.slow)])
def test_mmnet_gradients_are_tensorflows(large, monkeypatch):
    monkeypatch.setattr(cpu_gradients, 'LARGE', large)
    names, ours = gradients('mmnet', 32, overridden=True)
    _, theirs = gradients('mmnet', 32, overridden=False)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    # Some are zero but for rounding: a shift in front of another batch norm changes nothing.
    whole = np.sqrt(sum(np.sum(np.square(other)) for other in theirs[1:]))
    for name, one, other in zip(names, ours[1:], theirs[1:]):
        error = np.linalg.norm(one - other) / (np.linalg.norm(other) + 1e-5 * whole)
        assert error < 2e-3, name
