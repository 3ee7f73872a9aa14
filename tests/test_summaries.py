"""What TensorBoard shows."""

import os

import numpy as np
import pytest
import tensorflow as tf

from mmnet import summaries
from mmnet.evaluation import Example
from tests.helpers import constants, value

SCORES = {'gradient_error': 0.00293, 'mad': 0.0248, 'images': 40}


def test_a_strip_has_a_row_for_each_example():
    rng = np.random.RandomState(0)
    images, alphas, truths = rng.rand(2, 4, 5, 3), rng.rand(2, 4, 5, 1), rng.rand(2, 4, 5, 1)
    strip = value(summaries.draw_strip(*constants(images, alphas, truths)))
    assert strip.shape == (1, 8, 20, 3) and strip.dtype == np.uint8
    person = images[1] * alphas[1] + np.array(summaries.STRIP_BACKGROUND) * (1 - alphas[1])
    for cell, expected in enumerate((images[1], alphas[1], truths[1], person)):
        shown = strip[0, 4:, 5 * cell:5 * cell + 5] / 255
        np.testing.assert_allclose(shown, np.broadcast_to(expected, [4, 5, 3]), atol=1 / 255)


def written(directory, record, shown=()):
    summaries.write_summaries(str(directory), record, list(shown))
    event_file, = directory.glob('*tfevents*')
    return {each.tag: (event.step, each) for event in tf.train.summary_iterator(str(event_file))
            for each in event.summary.value}


def test_scores_of_all_images_and_of_each_set(tmp_path):
    values = written(tmp_path, {'global_step': 30, 'split': 'test', **SCORES, 'sets': {
        'indoor': SCORES, 'street': dict(SCORES, mad=0.5)}})
    assert set(values) == {f'{place}{name}' for place in ('', 'indoor/', 'street/')
                           for name in ('gradient_error', 'mad')}
    step, mad = values['mad']
    assert step == 30 and mad.simple_value == pytest.approx(0.0248)
    assert values['street/mad'][1].simple_value == pytest.approx(0.5)


def test_checkpoints_of_the_same_second_keep_their_scores(tmp_path):
    for step in (1, 2):
        summaries.write_summaries(str(tmp_path), {'global_step': step, **SCORES}, [])
    assert {event.step for path in tmp_path.glob('*tfevents*')
            for event in tf.train.summary_iterator(str(path)) if event.summary.value} == {1, 2}


def test_a_set_whose_name_is_not_utf_8(tmp_path):
    name = os.fsdecode(b'caf\xe9')
    values = written(tmp_path, {'global_step': 3, **SCORES, 'sets': {name: SCORES, 'b': SCORES}})
    assert '\\udce9/mad' in ' '.join(values) and 'b/mad' in values


def test_the_strip_of_an_evaluation(tmp_path):
    image, mask = np.zeros([8, 8, 3], np.uint8), np.full([8, 8], 255, np.uint8)
    shown = [(Example(image, mask[..., np.newaxis], mask), np.zeros([8, 8, 1]))] * 3
    values = written(tmp_path, {'global_step': 2, **SCORES}, shown)
    picture = values['examples/image'][1].image
    assert (picture.height, picture.width) == (3 * 8, 4 * 8)
