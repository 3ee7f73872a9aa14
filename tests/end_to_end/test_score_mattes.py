"""scripts/score_mattes.py as a person runs it."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from mmnet import scores
from tests.helpers import run

pytestmark = pytest.mark.slow


def write_mattes(folder, mattes, ending=''):
    os.makedirs(str(folder))
    for name, matte in mattes.items():
        Image.fromarray(matte).save(str(folder / f'{name}{ending}.png'))


def random_mattes(seed, names=('1', '2', '10')):
    rng = np.random.RandomState(seed)
    return {name: rng.randint(0, 256, [20, 30]).astype(np.uint8) for name in names}


def test_pictures_are_scored_in_every_convention(tmp_path):
    alphas, truths = random_mattes(0), random_mattes(1)
    write_mattes(tmp_path / 'p', alphas, ending='_alpha')
    write_mattes(tmp_path / 't', truths)
    status, out, err = run('scripts/score_mattes.py', tmp_path / 'p', tmp_path / 't', '--band', 3,
                           '--json', tmp_path / 'scores.json')
    assert status == 0, err
    with open(str(tmp_path / 'scores.json')) as file:
        found = json.load(file)
    expected = [scores.scores(alphas[name] / 255, truths[name] / 255, 3) for name in truths]
    for name in expected[0]:
        assert found[name] == pytest.approx(np.mean([each[name] for each in expected])), name
        assert found['conventions'][name] and name in out
    assert found['images'] == 3 and 'dtssd' not in found and '3 mattes' in out
    assert '3 pixels' in found['conventions']['sad_band']


def test_clips_are_scored_frame_by_frame(tmp_path):
    for clip, seed in (('a', 0), ('b', 2)):
        write_mattes(tmp_path / 'p' / clip, random_mattes(seed))
        write_mattes(tmp_path / 't' / clip, random_mattes(seed + 1))
    status, out, err = run('scripts/score_mattes.py', tmp_path / 'p', tmp_path / 't', '--video',
                           '--json', tmp_path / 'scores.json')
    assert status == 0, err
    with open(str(tmp_path / 'scores.json')) as file:
        found = json.load(file)
    flicker = []
    for seed in (0, 2):
        # In the order of their numbers: 1, 2, 10.
        errors = [(random_mattes(seed)[name] - np.float64(random_mattes(seed + 1)[name])) / 255
                  for name in ('1', '2', '10')]
        flicker.append(100 / 3 * sum(np.sqrt(((now - before) ** 2).mean())
                                     for before, now in zip(errors, errors[1:])))
    assert found['dtssd'] == pytest.approx(np.mean(flicker))
    assert found['clips']['a']['dtssd'] == pytest.approx(flicker[0])
    assert '6 mattes in 2 clips' in out


def test_clips_of_photos_and_masks_are_truths_as_they_are(tmp_path):
    """As make_clips.py writes them."""
    write_mattes(tmp_path / 'p' / 'a', random_mattes(0))
    write_mattes(tmp_path / 't' / 'a' / 'mask', random_mattes(1))
    write_mattes(tmp_path / 't' / 'a' / 'image', random_mattes(2))
    (tmp_path / 't' / 'clips.json').write_text('{}')
    write_mattes(tmp_path / 'flat' / 'a', random_mattes(1))
    figures = []
    for truth in ('t', 'flat'):
        status, out, err = run('scripts/score_mattes.py', tmp_path / 'p', tmp_path / truth,
                               '--video')
        assert status == 0, err
        figures.append(out)
    assert figures[0] == figures[1] and '3 mattes in 1 clips' in figures[0]


def test_a_nearly_black_prediction_is_a_matte(tmp_path):
    truth = np.zeros([12, 12], np.uint8)
    truth[4:8, 4:8] = 255
    write_mattes(tmp_path / 't', {'x': truth})
    write_mattes(tmp_path / 'p', {'x': (truth > 0).astype(np.uint8)})
    status, out, err = run('scripts/score_mattes.py', tmp_path / 'p', tmp_path / 't')
    assert status == 0, err


def spoil(root, kind):
    if kind == 'no truth':
        os.remove(str(root / 't' / 'c' / '2.png'))
    elif kind == 'no prediction':
        os.remove(str(root / 'p' / 'c' / '2.png'))
    elif kind == 'another size':
        Image.new('L', (31, 20)).save(str(root / 'p' / 'c' / '2.png'))
    elif kind == 'no picture':
        (root / 'p' / 'c' / '2.png').write_text('no picture')
    elif kind == 'two of a name':
        Image.new('L', (30, 20)).save(str(root / 'p' / 'c' / '2.jpg'))
    elif kind == 'two predictions':
        Image.new('L', (30, 20)).save(str(root / 'p' / 'c' / '2_alpha.png'))
    elif kind == 'tiny':
        for folder in 'pt':
            Image.new('L', (5, 20), 255).save(str(root / folder / 'c' / '2.png'))


@pytest.mark.parametrize('kind, named', [
    ('no truth', '2.png: has no true matte'), ('no prediction', '2.png: has no prediction'),
    ('another size', 'p/c/2.png: has 31×20 pixels'), ('no picture', 'p/c/2.png: cannot be decoded'),
    ('two of a name', '2.jpg'), ('two predictions', '2_alpha.png: two predictions'),
    ('tiny', 'too small')])
def test_bad_mattes_are_named(tmp_path, kind, named):
    for folder in 'pt':
        write_mattes(tmp_path / folder / 'c', random_mattes(0))
    spoil(tmp_path, kind)
    for flags in (['p/c', 't/c'], ['p', 't', '--video']):
        status, _, err = run('scripts/score_mattes.py', *(tmp_path / each for each in flags[:2]),
                             *flags[2:])
        assert status == 1 and err.count('\n') == 1 and named in err, err


def test_missing_folders_and_clips_are_named(tmp_path):
    write_mattes(tmp_path / 't' / 'c', random_mattes(0))
    os.makedirs(str(tmp_path / 'p'))
    for args, named in ((['p', 't', '--video'], 't/c: this clip is missing'),
                        (['nowhere', 't'], 'nowhere: cannot be read'),
                        (['p', 'p'], 'p: holds no pictures'),
                        (['p', 'p', '--video'], 'holds no folders')):
        status, _, err = run('scripts/score_mattes.py', *(tmp_path / each for each in args[:2]),
                             *args[2:])
        assert status == 1 and err.count('\n') == 1 and named in err, err
