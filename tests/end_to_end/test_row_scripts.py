"""A pair of scripts for every published row, and what each of them runs."""

import glob
import os
import re
import stat
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from mmnet import checkpoints, hparams, pretrained
from tests.helpers import ROOT, SMALLER_GRAPH, write_split

# Tables 2 and 3: what this code trains.
ROWS = ([f'mmnet_dm{width}_256' for width in ('0.5', '0.75', '1.0', '1.4')] +
        [f'mmnet_dm{width}_128' for width in ('1.0', '1.4')] +
        [f'deeplab_os16_dm{width}_256' for width in ('0.5', '0.75', '1.0')] +
        [f'deeplab_os16_dm{width}_128' for width in ('0.75', '1.0')] +
        [f'deeplab_os8_dm{width}_128' for width in ('0.35', '0.5', '0.75')] +
        ['mmnet_dm1.0_256_quant', 'deeplab_os16_dm0.75_256_quant'] +
        # PortraitNet's Table 1, and MODNet's two forms.
        [f'portraitnet{variant}_224' for variant in ('', '_m', '_b', '_c')] +
        ['modnet_512', 'modnet_se_512'])
SCRIPTS = sorted(glob.glob(os.path.join(ROOT, 'scripts', '*.sh')))


def test_a_pair_of_scripts_for_every_row():
    names = [os.path.basename(path)[:-3] for path in SCRIPTS]
    rows = sorted(name for name in names if re.match('(train|valid)_', name)
                  and name != 'train_recipe')
    assert rows == sorted(action + '_' + row for row in ROWS for action in ('train', 'valid'))


def test_scripts_can_be_run():
    for path in SCRIPTS:
        assert os.stat(path).st_mode & stat.S_IXUSR, path


def test_shellcheck():
    subprocess.run(['shellcheck'] + SCRIPTS + [os.path.join(ROOT, '.ci', 'run')], check=True)


def script(name, *args, env=None):
    process = subprocess.run([os.path.join(ROOT, 'scripts', name)] + [str(a) for a in args],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             universal_newlines=True, env=env)
    return process.returncode, process.stdout, process.stderr


@pytest.mark.slow
def test_a_row_is_trained_and_evaluated(dataset, tmp_path):
    row = 'deeplab_os8_dm0.35_128'
    expected = {'model': 'deeplab', 'image_size': 128, 'width_multiplier': 0.35,
                'output_stride': 8}
    run_dir = tmp_path / 'run'
    # Further flags pass through.
    status, _, err = script(f'train_{row}.sh', dataset, run_dir, '--max_steps', 1,
                            '--batch_size', 2)
    assert status == 0, err
    settings = hparams.read(str(run_dir))
    flat = settings.identity()
    assert {key: flat[key] for key in expected} == expected
    assert settings.training.batch_size == 2
    status, out, err = script(f'valid_{row}.sh', dataset, run_dir)
    assert status == 0, err
    assert 'step 0 ' in out and 'step 1 ' in out
    status, out, err = script(f'valid_{row}.sh', dataset, run_dir / 'model.ckpt-1')
    assert status == 0 and out.count('step') == 1


@pytest.mark.slow
@pytest.mark.parametrize('row, flags', [
    ('portraitnet_224', ''),
    ('portraitnet_m_224', '--no_boundary_head --consistency_loss_weight 0 '),
    ('portraitnet_b_224', '--boundary_loss_weight 0.1 --consistency_loss_weight 0 '),
    ('portraitnet_c_224', '--no_boundary_head '),
    ('modnet_512', ''),
    ('modnet_se_512', '--squeeze_excitation ')])
def test_variants(tmp_path, row, flags):
    """The command that a script ends in; it gets as far as the dataset, past its flags."""
    command = [os.path.join(ROOT, 'scripts', f'train_{row}.sh'), 'nowhere', tmp_path / 'x']
    process = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, universal_newlines=True,
                             env=dict(os.environ, SHELLOPTS='xtrace'))
    model, size = row.split('_')[0], row.split('_')[-1]
    assert 'train.py --model {} --image_size {} {}--dataset_path nowhere'.format(
        model, size, flags) in process.stderr
    assert process.returncode == 1 and 'nowhere/train/image' in process.stderr


def test_missing_arguments_end_in_one_line():
    status, _, err = script('train_mmnet_dm1.0_256.sh', 'dataset')
    assert status == 2 and 'DATASET TRAIN_DIR' in err and err.count('\n') == 1


def test_help_says_what_to_give():
    for name, program in (('train_mmnet_dm1.0_256.sh', 'train.py'),
                          ('valid_mmnet_dm1.0_256.sh', 'evaluate.py')):
        status, out, err = script(name, '--help')
        assert status == 0 and 'DATASET TRAIN_DIR' in out and program in out and not err


def test_each_script_shows_the_flags_of_its_name():
    """The command in a script against the settings that its name spells out."""
    parts = {'os': '--output_stride', 'dm': '--width_multiplier'}
    for row in ROWS:
        with open(os.path.join(ROOT, 'scripts', f'train_{row}.sh')) as file:
            words = file.read().split('exec ')[1].split()
        shown = dict(zip(words, words[1:]))
        model, *rest = row.split('_')
        assert shown['--model'] == model and shown['--image_size'] in rest
        for part in rest:
            if part[:2] in parts:
                assert shown[parts[part[:2]]] == part[2:]
        assert ('--quantize' in words) == row.endswith('quant')


@pytest.mark.slow
def test_the_pretrained_networks_can_be_made_again(tmp_path):
    """The whole recipe, a step of each training, on a few photos."""
    write_split(tmp_path / 'ccp', 'train', 3)
    work = tmp_path / 'work'
    environment = {**os.environ, **{f'STEPS_{each}': '1' for each in (64, 128, 256, 'ROUNDED')},
                   'PORTRAITS': '2'}
    command = ('make_pretrained.sh', tmp_path / 'ccp', work, '--batch_size', 2, '--warm_up_steps',
               0, '--backgrounds', 'pairs', '--stock_gradients', *SMALLER_GRAPH)
    status, out, err = script(*command, env=environment)
    assert status == 0, err
    made = sorted(os.path.relpath(path, str(work / 'pretrained')) for path in
                  glob.glob(str(work / 'pretrained' / '**'), recursive=True)
                  if os.path.isfile(path))
    published = sorted(os.path.relpath(path, pretrained.FOLDER) for path in
                       glob.glob(os.path.join(pretrained.FOLDER, 'mmnet_*', '*')) +
                       glob.glob(os.path.join(pretrained.FOLDER, '*.tflite')))
    steps = re.compile(r'-\d+\.')
    assert [steps.sub('-N.', name) for name in made if name != 'SHA256SUMS'] == [
        steps.sub('-N.', name) for name in published]
    subprocess.run(['sha256sum', '--check', '--quiet', 'SHA256SUMS'], check=True,
                   cwd=str(work / 'pretrained'))
    settings = hparams.read(str(work / 'pretrained' / 'mmnet_dm1.0_256'))
    assert settings.training.dataset_path == ('ccp', 'drawn')
    for trained, finished in (('training/256', 'pretrained/mmnet_dm1.0_256'),
                              ('training/256_rounded', 'training/256_rounded_finished')):
        plain, halved = (tf.train.load_checkpoint(str(work / folder)).get_tensor(name)
                         for folder, name in (
                             (trained, 'MMNet/final/weights' + checkpoints.AVERAGE),
                             (finished, 'MMNet/final/weights')))
        np.testing.assert_array_equal(halved, 2 * plain)
    # Nothing is made twice, and nothing is overwritten.
    status, _, err = script(*command, env=environment)
    assert status == 1 and 'exists already' in err


@pytest.mark.parametrize('name', ['train_recipe.sh', 'make_pretrained.sh'])
def test_missing_arguments_end_in_a_line(name):
    for args in ([], ['only'], ['--flag', 'x', 'y']):
        status, _, err = script(name, *args)
        assert status == 2 and err.startswith('usage: ') and err.count('\n') == 1


@pytest.mark.slow
@pytest.mark.parametrize('scratch, shown', [
    ('', '--init_checkpoint pretrained:mmnet_dm1.0_256 --batch_size 4 --image_size 256 '
     '--max_steps 1500'),
    ('1', '--ema_decay 0.998 --batch_size 4 --image_size 64 --max_steps 3000')])
def test_the_recipe_begins_with_the_published_network_or_with_nothing(tmp_path, scratch, shown):
    """The command that it prints first; it gets as far as the dataset."""
    status, out, err = script('train_recipe.sh', 'nowhere', tmp_path / 'run', '--batch_size', 4,
                              env={**os.environ, 'SCRATCH': scratch})
    assert status == 1 and 'nowhere/train/image' in err
    command, = [line for line in out.split('\n') if line.startswith('== train.py')]
    assert command.endswith(shown)


def test_what_the_recipe_sets_itself_is_refused():
    for flag in ('--model', '--image_size=64', '--train_dir', '--max_steps'):
        status, _, err = script('train_recipe.sh', 'dataset', 'run', flag, 'x')
        assert status == 2 and f'{flag}: is the recipe\'s own' in err and err.count('\n') == 1
    status, _, err = script('train_recipe.sh', 'dataset', 'run',
                            env={**os.environ, 'STEPS_256': '1e3'})
    assert status == 2 and 'STEPS_256 1e3: is not a number of steps' in err
    for flags in (['--warm_up_steps', 1500], ['--warm_up_steps=2000', '--seed', 3]):
        status, _, err = script('train_recipe.sh', 'dataset', 'run', *flags)
        assert status == 2 and 'must be below the 1500 steps of a stage' in err
