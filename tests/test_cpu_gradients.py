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


@pytest.mark.slow
@pytest.mark.parametrize('name', ['deeplab', 'portraitnet', 'modnet'])
def test_gradients_of_the_rivals_are_tensorflows(name):
    """Both gradients of one graph in one run, so that they share a dropout mask."""
    rng = np.random.RandomState(0)
    with tf.Graph().as_default() as graph:
        images = tf.constant(rng.rand(2, 64, 64, 3), tf.float32)
        alphas = tf.constant(rng.rand(2, 64, 64, 1) > 0.5, tf.float32)
        with cpu_gradients.cpu_gradients(graph):
            logits, _ = models.build(name, images, True)
            loss = losses.kl_loss(logits, alphas)
        variables = tf.trainable_variables()
        ours = tf.gradients(loss, variables)
        overridden = [op for op in graph.get_operations()
                      if '_gradient_op_type' in op.node_def.attr]
        assert overridden
        for op in overridden:
            op._clear_attr('_gradient_op_type')
        stock = tf.gradients(loss, variables)
        # Side branches of PortraitNet and MODNet are not part of this loss.
        found = [each for each in zip(variables, ours, stock) if each[2] is not None]
        assert len(found) > len(variables) / 2
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            values = session.run([each[1:] for each in found])
    whole = np.sqrt(sum(np.sum(np.square(theirs)) for _, theirs in values))
    for (variable, _, _), (one, other) in zip(found, values):
        error = np.linalg.norm(one - other) / (np.linalg.norm(other) + 1e-4 * whole)
        assert error < 5e-3, variable.op.name
