"""The pretrained networks: whole, small, and good enough for a first look."""

import hashlib
import os

import numpy as np
import pytest

from mmnet import hparams, pretrained, runtime
from mmnet.datasets import synthetic
from mmnet.errors import UserError
from tests.helpers import run, train

FILES = [f'mmnet_dm1.0_{size}_{precision}' for size in (128, 256)
         for precision in ('float32', 'int8')]
CHECKPOINTS = ['mmnet_dm1.0_128', 'mmnet_dm1.0_256']


def listed():
    """Every file and its checksum, as published."""
    with open(os.path.join(pretrained.FOLDER, 'SHA256SUMS')) as file:
        return dict(reversed(line.split()) for line in file)


def test_every_file_is_the_published_one():
    found = [os.path.relpath(os.path.join(parent, name), pretrained.FOLDER)
             for parent, _, names in os.walk(pretrained.FOLDER) for name in names
             if '__pycache__' not in parent]
    sums = listed()
    assert sorted(found) == sorted([*sums, 'SHA256SUMS', 'MODEL_CARD.md', '__init__.py',
                                    'ccp_test.txt'])
    for name, digest in sums.items():
        with open(os.path.join(pretrained.FOLDER, name), 'rb') as file:
            assert hashlib.sha256(file.read()).hexdigest() == digest, name
    assert sum(os.path.getsize(os.path.join(pretrained.FOLDER, name)) for name in found) <= 4e6


def test_names_lead_to_files():
    assert pretrained.names() == sorted(FILES + CHECKPOINTS)
    assert pretrained.find(pretrained.DEFAULT).endswith('.tflite')
    assert pretrained.find('some/path') == 'some/path'
    for name in FILES + CHECKPOINTS:
        assert os.path.exists(pretrained.find('pretrained:' + name))
    with pytest.raises(UserError, match='pretrained:mine: no such network; choose from .*_128'):
        pretrained.find('pretrained:mine')


def test_checkpoints_tell_nothing_of_where_they_were_trained():
    for name in CHECKPOINTS:
        trained = hparams.read(pretrained.find('pretrained:' + name))
        assert trained.image_size == int(name[-3:]) and trained.network.width_multiplier == 1.0
        assert not any(os.sep in path for path in trained.training.dataset_path)
        assert trained.training.init_checkpoint is None and not trained.training.averaged


@pytest.mark.parametrize('name', FILES)
def test_files_cut_out_a_drawn_portrait(name):
    interpreter = runtime.Interpreter(pretrained.find('pretrained:' + name), 'tensorflow')
    size = interpreter.size
    errors = []
    for seed in range(3):
        portrait = synthetic.draw_portrait(np.random.RandomState(seed), size, size)
        alpha = interpreter.alpha(np.round(255 * portrait.image).astype(np.uint8))
        errors.append(np.abs(alpha[..., 0] - portrait.alpha).mean())
    # Alpha = 1 everywhere has about 0.5. Drawn hair is finer than the networks' edges.
    assert np.mean(errors) < 0.1


@pytest.mark.slow
def test_a_training_starts_from_one(dataset, tmp_path):
    status, out, err = train(dataset, tmp_path / 'run', '--width_multiplier', 1.0, '--max_steps', 1,
                             '--init_checkpoint', 'pretrained:mmnet_dm1.0_128')
    assert status == 0 and out.count('pretrained/mmnet_dm1.0_128') == 1, err
    restored, total = out.split('restored ')[1].split(' variables')[0].split(' of ')
    assert restored == total
    status, _, err = train(dataset, tmp_path / 'other', '--max_steps', 1,
                           '--init_checkpoint', 'pretrained:mmnet_dm9')
    assert status == 1 and 'pretrained:mmnet_dm9: no such network' in err


@pytest.mark.slow
def test_checkpoint_and_file_agree(dataset):
    errors = []
    for flag, name in (('--checkpoint_path', 'mmnet_dm1.0_128'),
                       ('--tflite_path', 'mmnet_dm1.0_128_float32')):
        status, out, err = run('evaluate.py', '--dataset_path', dataset, flag, 'pretrained:' + name)
        assert status == 0, err
        errors.append(float(out.split('MAD ')[1].split()[0].rstrip(',')))
    assert errors[0] == pytest.approx(errors[1], abs=0.01)
    assert sorted(os.listdir(pretrained.find('pretrained:mmnet_dm1.0_128'))) == sorted(
        os.path.basename(name) for name in listed() if name.startswith('mmnet_dm1.0_128/'))
