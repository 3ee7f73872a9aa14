import glob
import os
import re
import stat
import subprocess

import pytest

from mmnet import hparams
from tests.conftest import ROOT

# Tables 2 and 3: what this code trains.
ROWS = (['mmnet_dm{}_256'.format(width) for width in ('0.5', '0.75', '1.0', '1.4')] +
        ['mmnet_dm{}_128'.format(width) for width in ('1.0', '1.4')] +
        ['deeplab_os16_dm{}_256'.format(width) for width in ('0.5', '0.75', '1.0')] +
        ['deeplab_os16_dm{}_128'.format(width) for width in ('0.75', '1.0')] +
        ['deeplab_os8_dm{}_128'.format(width) for width in ('0.35', '0.5', '0.75')] +
        ['mmnet_dm1.0_256_quant', 'deeplab_os16_dm0.75_256_quant'] +
        # PortraitNet's Table 1, and MODNet's two forms.
        ['portraitnet{}_224'.format(variant) for variant in ('', '_m', '_b', '_c')] +
        ['modnet_512', 'modnet_se_512'])
SCRIPTS = sorted(glob.glob(os.path.join(ROOT, 'scripts', '*.sh')))


def test_a_pair_of_scripts_for_every_row():
    names = [os.path.basename(path)[:-3] for path in SCRIPTS]
    rows = sorted(name for name in names if re.match('(train|valid)_', name))
    assert rows == sorted(action + '_' + row for row in ROWS for action in ('train', 'valid'))


def test_scripts_can_be_run():
    for path in SCRIPTS:
        assert os.stat(path).st_mode & stat.S_IXUSR, path


def test_shellcheck():
    subprocess.run(['shellcheck'] + SCRIPTS + [os.path.join(ROOT, '.ci', 'run')], check=True)


def script(name, *args):
    process = subprocess.run([os.path.join(ROOT, 'scripts', name)] + [str(a) for a in args],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             universal_newlines=True)
    return process.returncode, process.stdout, process.stderr


def test_a_row_is_trained_and_evaluated(dataset, tmp_path):
    row = 'deeplab_os8_dm0.35_128'
    expected = {'model': 'deeplab', 'image_size': 128, 'width_multiplier': 0.35,
                'output_stride': 8}
    run_dir = tmp_path / 'run'
    # Further flags pass through.
    status, _, err = script('train_{}.sh'.format(row), dataset, run_dir, '--max_steps', 1,
                            '--batch_size', 2)
    assert status == 0, err
    settings = hparams.read(str(run_dir))
    flat = dict(settings['network'], **settings)
    assert {key: flat[key] for key in expected} == expected
    assert settings['training']['batch_size'] == 2
    status, out, err = script('valid_{}.sh'.format(row), dataset, run_dir)
    assert status == 0, err
    assert 'step 0 ' in out and 'step 1 ' in out
    status, out, err = script('valid_{}.sh'.format(row), dataset, run_dir / 'model.ckpt-1')
    assert status == 0 and out.count('step') == 1


@pytest.mark.parametrize('row, network, weights', [
    ('portraitnet_m_224', {'boundary_head': False}, (0.0, 0.3)),
    ('portraitnet_b_224', {'boundary_head': True}, (0.0, 0.1)),
    ('modnet_se_512', {'squeeze_excitation': True}, None)])
def test_variants(dataset, tmp_path, row, network, weights):
    """What the scripts of PortraitNet's Table 1 ask for, at a smaller size."""
    run_dir = tmp_path / 'run'
    status, _, err = script('train_{}.sh'.format(row), dataset, run_dir, '--max_steps', 1,
                            '--batch_size', 1, '--image_size', 32)
    assert status == 0, err
    settings = hparams.read(str(run_dir))
    assert settings['network'] == network
    training = settings['training']
    if weights:
        assert (training['consistency_loss_weight'], training['boundary_loss_weight']) == weights
        assert training['augmentation'] == 'portraitnet' and training['weight_decay'] == 5e-4
    assert 'alpha_loss_weight' not in training


def test_missing_arguments_end_in_one_line():
    status, _, err = script('train_mmnet_dm1.0_256.sh', 'dataset')
    assert status == 2 and 'DATASET TRAIN_DIR' in err and err.count('\n') == 1
