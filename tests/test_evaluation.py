"""The evaluation loop against numbers computed here, in one process."""

import numpy as np
import pytest

from mmnet import evaluation, scores
from mmnet.data import decode
from mmnet.data.pairs import find_clips, find_pairs, find_sets
from tests.helpers import dtssd, write_split


def test_every_image_counts_once(dataset):
    pairs = find_pairs(dataset, 'test')
    seen = []

    def half(images, alphas_gt):
        seen.append(len(images))
        return np.full(images.shape[:3] + (1,), 0.5, np.float32), {'loss': float(len(images))}

    record, strip = evaluation.Evaluator({'one': pairs}, 16, batch_size=2).evaluate(half)
    assert seen == [2, 2, 1] and record['images'] == 5
    assert len(strip) == evaluation.STRIP_EXAMPLES == 4
    truths = [decode.read_mask(pair.mask) / 255 for pair in pairs]
    assert record['mad'] == pytest.approx(np.mean([abs(0.5 - truth).mean() for truth in truths]))
    # A batch's mean counts as often as it has images.
    assert record['loss'] == pytest.approx((2 * 2 + 2 * 2 + 1) / 5)


def test_each_set_is_measured_and_the_mean_is_over_images(dataset, tmp_path):
    other = write_split(tmp_path / 'other', 'test', 3, seed=7)
    sets = find_sets([dataset, other], 'test')
    seen = []

    def half(images, alphas_gt):
        seen.append(len(images))
        return np.full(images.shape[:3] + (1,), 0.5, np.float32), {'loss': float(len(seen))}
    record, _ = evaluation.Evaluator(sets, 16, batch_size=4, all_metrics=True).evaluate(half)
    # No batch mixes two sets.
    assert seen == [4, 1, 3] and record['images'] == 8
    for name, pairs in sets.items():
        truths = [decode.read_mask(pair.mask) / 255 for pair in pairs]
        found = record['sets'][name]
        assert found['images'] == len(pairs)
        for key in scores.scores(truths[0], truths[0]):
            assert found[key] == pytest.approx(np.mean([
                scores.scores(np.full_like(truth, 0.5), truth)[key] for truth in truths])), key
    assert record['sets']['dataset']['loss'] == pytest.approx((4 * 1 + 2) / 5)
    assert record['mad'] == pytest.approx(
        (5 * record['sets']['dataset']['mad'] + 3 * record['sets']['other']['mad']) / 8)


def test_a_second_run_takes_each_image_s_own_alpha_as_its_past(dataset):
    pairs = find_pairs(dataset, 'test')

    def alpha(image, past=None):
        return np.full([16, 16, 1], image.mean() / 255) if past is None else 1 - past
    record, _ = evaluation.Evaluator({'one': pairs}, 16, batch_size=2).evaluate(
        evaluation.image_by_image(alpha), evaluation.with_own_past(alpha))
    levels = [decode.read_image(pair.image, 16).mean() / 255 for pair in pairs]
    truths = [decode.read_mask(pair.mask) / 255 for pair in pairs]
    for found, expected in ((record, levels), (record['own_past'], np.subtract(1, levels))):
        assert found['images'] == 5 and found['mad'] == pytest.approx(np.mean(
            [abs(level - truth).mean() for level, truth in zip(expected, truths)]))


def test_predictors_without_a_network():
    images = np.random.RandomState(0).randint(0, 256, [3, 4, 4, 3]).astype(np.uint8)
    alphas, measured = evaluation.always_foreground(images, None)
    assert alphas.shape == (3, 4, 4, 1) and (alphas == 1).all() and measured == {}
    red = evaluation.image_by_image(lambda image: image[..., :1] / 255)
    np.testing.assert_allclose(red(images, None)[0], images[..., :1] / 255)


def test_clips_are_measured_one_by_one_from_their_first_frame(tmp_path):
    for name, count in (('a', 3), ('b', 2)):
        write_split(tmp_path, name, count, seed=count)
    clips = find_clips(str(tmp_path))
    calls = []

    def remembering():
        calls.append(0)

        def alpha(image):
            calls[-1] += 1
            return np.full([16, 16, 1], 0.1 * calls[-1], np.float32)
        return alpha
    record = evaluation.evaluate_clips(clips, 16, remembering)
    assert calls == [3, 2] and record['images'] == 5
    flickers = []
    for frames in clips.values():
        truths = [decode.read_mask(frame.mask) / 255 for frame in frames]
        flickers.append(dtssd((np.full_like(truth, np.float32(0.1 * step)), truth)
                              for step, truth in enumerate(truths, start=1)))
    assert [each['dtssd'] for each in record['sets'].values()] == pytest.approx(flickers)
    assert record['dtssd'] == pytest.approx(np.mean(flickers))
