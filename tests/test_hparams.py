"""Hyperparameters: to JSON and back, and which training a directory goes on with."""

import copy
import dataclasses
import json

import pytest

from mmnet import flags, hparams, models
from mmnet.errors import UserError
from mmnet.hparams import HParams

REQUIRED = ['--dataset_path', 'data', '--train_dir', 'run']


def from_flags(*args):
    return flags.to_hparams(flags.train_parser().parse_args(REQUIRED + list(args)))


@pytest.mark.parametrize('args', [
    [], ['--model', 'deeplab', '--output_stride', '8', '--batch_norm_decay', '0.9'],
    ['--quantize', '--weight_bits', '5', '--no_dilation', '--seed', '3'],
    ['--model', 'portraitnet', '--focal_gamma', '0', '--stock_gradients']])
def test_json_keeps_everything(args, tmp_path):
    settings = from_flags(*args)
    assert HParams.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    hparams.write(settings, str(tmp_path))
    assert hparams.read(str(tmp_path)) == settings


# The three kinds of files that earlier versions wrote: before quantization, before the rivals,
# before the format had a number.
TRAINING = {'dataset_path': 'data', 'dataset_split_name': 'train', 'init_checkpoint': None,
            'batch_norm_decay': None, 'batch_size': 16, 'learning_rate': 1e-3,
            'weight_decay': 4e-7, 'max_steps': 1500, 'seed': 1, 'save_checkpoints_steps': 500,
            'keep_checkpoint_max': 5, 'save_summary_steps': 50, 'alpha_loss_weight': 1.0,
            'compositional_loss_weight': 1.0, 'kl_loss_weight': 1.0, 'gradient_loss_weight': 0.5,
            'auxiliary_loss_weight': 1.0}
FIRST = {'model': 'mmnet', 'image_size': 128,
         'network': {'width_multiplier': 0.5, 'dilation': True, 'enhancement': True,
                     'refinement': True}, 'training': TRAINING}
SECOND = {'model': 'deeplab', 'image_size': 128,
          'network': {'width_multiplier': 0.75, 'output_stride': 8},
          'quantization': {'weight_bits': 8, 'activation_bits': 8},
          'training': dict(TRAINING, quant_delay=5, batch_norm_decay=0.99)}
THIRD = {'model': 'portraitnet', 'image_size': 224, 'network': {'boundary_head': False},
         'quantization': None,
         'training': {**{name: value for name, value in TRAINING.items() if 'loss' not in name},
                      'quant_delay': 0, 'soc': False, 'augmentation': 'portraitnet',
                      'learning_rate_decay': 0.95, 'boundary_loss_weight': 0.1,
                      'consistency_loss_weight': 0.0, 'temperature': 1.0, 'focal_gamma': 2.0}}


def test_several_data_sets_and_their_weights(tmp_path):
    settings = flags.to_hparams(flags.train_parser().parse_args(
        ['--dataset_path', 'a', 'b', '--train_dir', 'run', '--dataset_weights', '1', '0.5',
         '--validation_fraction', '0.1']))
    hparams.write(settings, str(tmp_path))
    assert hparams.read(str(tmp_path)) == settings
    assert settings.training.dataset_path == ('a', 'b')
    assert settings.training.dataset_weights == (1, 0.5)
    assert settings.training.validation_fraction == 0.1
    with pytest.raises(UserError, match='--dataset_weights: gives 1 weights for 2 data sets'):
        flags.to_hparams(flags.train_parser().parse_args(
            ['--dataset_path', 'a', 'b', '--train_dir', 'run', '--dataset_weights', '1']))


def test_photos_that_were_held_out_stay_so(tmp_path):
    def settings(*given):
        return flags.to_hparams(flags.train_parser().parse_args(
            ['--dataset_path', 'a', '--train_dir', 'run', *given]))
    held = settings('--validation_fraction', '0.1')
    hparams.write(held, str(tmp_path))
    (tmp_path / 'model.ckpt-1.index').write_text('')
    hparams.check_resumable(held, str(tmp_path))
    for other in (settings(), settings('--validation_fraction', '0.2')):
        with pytest.raises(UserError, match='with --validation_fraction 0.1;'):
            hparams.check_resumable(other, str(tmp_path))


@pytest.mark.parametrize('content', [FIRST, SECOND, THIRD])
def test_files_of_older_trainings_are_read(content, tmp_path):
    (tmp_path / hparams.FILE_NAME).write_text(json.dumps(content))
    read = hparams.read(str(tmp_path))
    again = read.to_json()
    assert again['network'] == content['network'] and again['format'] == hparams.FORMAT
    before = content.get('quantization')
    assert again['quantization'] == (before and {**before, 'per_channel': False})
    assert again['previous_alpha'] is False
    for name, value in content['training'].items():
        if name == 'dataset_path':
            assert again['training'][name] == (value,)
        elif value is not None:
            assert again['training'][name] == value, name
    assert not read.training.soc and not read.training.stock_gradients
    if content is FIRST:
        assert read.network.batch_norm_decay == 0.999 and read.training.augmentation == 'mmnet'
    if content is SECOND:
        assert read.network.batch_norm_decay == 0.99 and read.training.quant_delay == 5


@pytest.mark.parametrize('change, named', [
    (lambda content: [1], 'network and its training'),
    (lambda content: dict(content, image_size=-64), 'image_size -64'),
    (lambda content: dict(content, image_size='large'), 'image_size large'),
    (lambda content: dict(content, image_size=100), 'image size 100 .* 96 or 104'),
    (lambda content: dict(content, image_size=1000000), 'image_size 1000000'),
    (lambda content: {**content, 'training': {'seed': 2 ** 32}}, 'seed 4294967296'),
    (lambda content: dict(content, model='unet'), 'unet'),
    (lambda content: dict(content, model=None), 'name a model'),
    (lambda content: dict(content, format=99), 'its format is 99'),
    (lambda content: {**content, 'training': {'dataset_path': [1]}}, 'not a list of paths'),
    (lambda content: {**content, 'training': {'dataset_weights': ['x']}}, 'list of numbers'),
    (lambda content: dict(content, network={'width_multiplier': 'abc'}), 'width_multiplier abc'),
    (lambda content: dict(content, network={'heads': 2}), 'no setting heads'),
    (lambda content: dict(content, training={'batch_size': 0}), 'batch_size 0'),
    (lambda content: dict(content, training={'magic': 1}), 'no setting magic'),
    (lambda content: dict(content, quantization={'weight_bits': 3}), 'weight_bits 3')])
def test_damaged_files_are_named_with_the_reason(change, named, tmp_path):
    path = tmp_path / hparams.FILE_NAME
    path.write_text(json.dumps(change(copy.deepcopy(SECOND))))
    with pytest.raises(UserError, match=f'{path}.*{named}'):
        hparams.read(str(tmp_path))
    path.write_text('{"model": ')
    with pytest.raises(UserError, match='not an hparams file'):
        hparams.read(str(tmp_path))
    path.unlink()
    with pytest.raises(UserError, match='not found'):
        hparams.read(str(tmp_path))


def test_a_start_without_a_checkpoint_binds_nothing(tmp_path):
    hparams.write(from_flags('--image_size', '64'), str(tmp_path))
    hparams.check_resumable(from_flags('--image_size', '128'), str(tmp_path))
    (tmp_path / hparams.FILE_NAME).unlink()
    (tmp_path / 'model.ckpt-5.index').write_text('')
    with pytest.raises(UserError, match='holds checkpoints but no hparams.json'):
        hparams.check_resumable(from_flags(), str(tmp_path))


def test_a_delay_cannot_begin_in_the_middle(tmp_path):
    hparams.write(from_flags('--quantize'), str(tmp_path))
    (tmp_path / 'model.ckpt-5.index').write_text('')
    hparams.check_resumable(from_flags('--quantize'), str(tmp_path))
    with pytest.raises(UserError, match='without --quant_delay; choose another directory'):
        hparams.check_resumable(from_flags('--quantize', '--quant_delay', '9'), str(tmp_path))


def test_another_network_is_refused_and_other_training_is_not(tmp_path):
    hparams.write(from_flags('--width_multiplier', '0.5'), str(tmp_path))
    (tmp_path / 'model.ckpt-5.index').write_text('')
    same = from_flags('--width_multiplier', '0.5', '--batch_norm_decay', '0.9', '--batch_size', '7')
    hparams.check_resumable(same, str(tmp_path))
    assert hparams.changes(same, str(tmp_path)) == [
        'batch_size: 7, 32 before', 'batch_norm_decay: 0.9, 0.999 before']
    for args, named in ((['--width_multiplier', '1'], 'width_multiplier 0.5'),
                        (['--width_multiplier', '0.5', '--quantize'], 'quantize False'),
                        (['--model', 'deeplab'], 'model mmnet')):
        with pytest.raises(UserError, match=f'--train_dir.*{named}'):
            hparams.check_resumable(from_flags(*args), str(tmp_path))


def test_a_network_cannot_be_published_with_what_no_training_has(monkeypatch):
    spec = models.NETWORKS['deeplab']
    monkeypatch.setitem(models.NETWORKS, 'deeplab', dataclasses.replace(
        spec, published={'learning_rate': 1e-2, 'weight_decy': 0}))
    with pytest.raises(ValueError, match='deeplab is published with weight_decy'):
        hparams.defaults_of('deeplab')
