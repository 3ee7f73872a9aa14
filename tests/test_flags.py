"""Flags follow from the registry of networks, and hyperparameters from flags."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import flags, graph, hparams, losses, models, pretrained
from mmnet.errors import UserError
from mmnet.models import layers
from mmnet.settings import Settings, setting

REQUIRED = ['--dataset_path', 'data', '--train_dir', 'run']


def parse(*args):
    return flags.train_parser().parse_args(REQUIRED + list(args))


def from_flags(*args):
    return flags.to_hparams(parse(*args))


def help_text(capsys):
    with pytest.raises(SystemExit):
        parse('--help')
    return ' '.join(capsys.readouterr().out.split())


@dataclasses.dataclass(frozen=True)
class ToySettings(Settings):
    stripes: int = setting(3, 'channels, 100 % of them; note: all are alike', above=0)
    mirrored: bool = setting(False, 'turns the network round')


@dataclasses.dataclass(frozen=True)
class ToyWeights(Settings):
    toy_loss_weight: float = setting(4.0, 'weight of the only term', minimum=0)


# Neither function has a docstring: help comes from the declarations alone.
def toy(images, is_training, settings):
    net = slim.conv2d(images, settings.stripes, 1, scope='toy')
    return layers.logits_conv(net[:, :, ::-1] if settings.mirrored else net, 'logits'), {}


def toy_objective(run, batch, weights):
    logits, _ = run(batch.images)
    term = tf.reduce_mean(tf.square(logits))
    return losses.Objective(logits, {'toy': term}, weights.toy_loss_weight * term)


def test_a_network_needs_nothing_but_its_entry(monkeypatch, capsys):
    monkeypatch.setitem(models.NETWORKS, 'toy', models.NetworkSpec(
        toy, ToySettings, lambda settings: 4, toy_objective, ToyWeights, {'image_size': 48}))
    settings = from_flags('--model', 'toy', '--stripes', '5', '--mirrored',
                          '--toy_loss_weight', '2', '--weight_decay', '0')
    assert settings.image_size == 48
    assert settings.network == ToySettings(5, True) and settings.objective == ToyWeights(2.0)
    images = np.random.RandomState(0).rand(2, 48, 48, 3).astype(np.float32)
    objective = graph.build_objective(losses.Batch(tf.constant(images), None), settings, True)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        total, term = session.run([objective.total, objective.terms['toy']])
    assert total == pytest.approx(2 * term) and term > 0
    with pytest.raises(UserError, match='stripes'):
        from_flags('--model', 'mmnet', '--stripes', '5')
    with pytest.raises(UserError, match='--toy_loss_weight.*--alpha_loss_weight'):
        from_flags('--toy_loss_weight', '5')
    text = help_text(capsys)
    assert 'channels, 100 % of them; note: all are alike (toy 3)' in text
    assert 'turns the network round (toy)' in text and 'weight of the only term (toy 4.0)' in text


def test_help_tells_the_truth_of_every_network(capsys):
    text = help_text(capsys)
    assert 'scales the channels of every layer but the logits (mmnet 1.0)' in text
    assert 'scales the backbone\'s channels; the head keeps its 256 (deeplab 1.0)' in text
    assert '(mmnet 0.999, deeplab 0.9997, portraitnet 0.9, modnet 0.9)' in text
    assert 'images per step and worker (32, portraitnet 64, modnet 16)' in text


@pytest.mark.parametrize('args', [
    ['--batch_size', '0'], ['--learning_rate', 'inf'], ['--batch_norm_decay', '1'],
    ['--temperature', '0'], ['--alpha_loss_weight', '-1'], ['--output_stride', '4'],
    ['--augmentation', 'none'], ['--seed', '-1'], ['--seed', '4294967296'],
    ['--image_size', '1000000']])
def test_values_out_of_bounds_end_in_a_line_that_names_the_flag(args, capsys):
    with pytest.raises(SystemExit) as leaving:
        parse(*args)
    err = capsys.readouterr().err
    assert leaving.value.code == 2 and args[0] in err and err.count('\n') == 1


def test_networks_that_declare_a_flag_differently_check_it_themselves(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Narrow(Settings):
        width_multiplier: float = setting(0.5, 'at most a half', above=0, below=0.6)

    monkeypatch.setitem(models.NETWORKS, 'narrow', models.NetworkSpec(
        toy, Narrow, lambda settings: 4))
    with pytest.raises(UserError, match='width_multiplier 0.7 is not a number .* below 0.6'):
        from_flags('--model', 'narrow', '--width_multiplier', '0.7')
    assert from_flags('--width_multiplier', '0.7').network.width_multiplier == 0.7


def test_no_two_settings_of_a_run_share_a_name():
    for name, spec in models.NETWORKS.items():
        names = [field.name for cls in (spec.settings, spec.objective_settings, hparams.Training,
                                        hparams.Quantization)
                 for field in dataclasses.fields(cls)]
        assert len(names) == len(set(names)), name


def test_a_network_that_comes_with_the_code_is_exported_by_its_name():
    args = flags.export_parser().parse_args(
        ['--checkpoint_path', 'pretrained:mmnet_dm1.0_128', '--output', 'model.tflite'])
    assert args.checkpoint_path == pretrained.find('pretrained:mmnet_dm1.0_128')


def test_flags_that_are_left_out_default_to_the_paper_s_values():
    settings = from_flags('--model', 'portraitnet', '--batch_size', '8')
    assert settings.image_size == 224 and settings.training.batch_size == 8
    training, objective = settings.training, settings.objective
    assert (training.learning_rate, training.learning_rate_decay) == (1e-3, 0.95)
    assert (training.weight_decay, training.augmentation) == (5e-4, 'portraitnet')
    assert (objective.boundary_loss_weight, objective.consistency_loss_weight) == (0.3, 2.0)
    assert (objective.temperature, objective.focal_gamma) == (1.0, 2.0)
    settings = from_flags()
    assert (settings.model, settings.image_size) == ('mmnet', 256)
    assert settings.training.learning_rate == 1e-4 and not settings.training.stock_gradients
    assert settings.objective.alpha_loss_weight == 1.0
    assert settings.network.batch_norm_decay == 0.999
    settings = from_flags('--model', 'modnet', '--image_size', '64', '--squeeze_excitation')
    content = settings.to_json()
    assert content['network'] == {'squeeze_excitation': True}
    weights = {name: value for name, value in content['training'].items()
               if name.endswith('_loss_weight')}
    assert weights == {'semantic_loss_weight': 1.0, 'detail_loss_weight': 10.0,
                       'matte_loss_weight': 1.0}


def test_a_cosine_takes_the_place_of_a_published_decay():
    def settings(*given):
        return flags.to_hparams(flags.train_parser().parse_args(
            ['--model', 'portraitnet', '--dataset_path', 'a', '--train_dir', 'run', *given]))
    assert settings().training.learning_rate_decay == 0.95
    cosine = ('--learning_rate_schedule', 'cosine')
    assert settings(*cosine).training.learning_rate_decay == 1
    with pytest.raises(UserError, match='cosine: has no --learning_rate_decay'):
        settings(*cosine, '--learning_rate_decay', '0.9')


@pytest.mark.parametrize('args, named', [
    (['--model', 'unet'], 'deeplab, mmnet'),
    (['--output_stride', '8'], 'mmnet has no setting output_stride'),
    (['--image_size', '100'], '96 or 112'),
    (['--model', 'portraitnet', '--image_size', '100'], '96 or 128'),
    (['--model', 'portraitnet', '--alpha_loss_weight', '2'], '--boundary_loss_weight'),
    (['--temperature', '2'], '--temperature: is not a setting of mmnet'),
    (['--squeeze_excitation'], 'squeeze_excitation'),
    (['--weight_bits', '4'], 'pass --quantize'), (['--quant_delay', '4'], 'pass --quantize'),
    (['--quantize', '--quant_delay', '9', '--max_steps', '9'], 'must be below --max_steps 9'),
    (['--model', 'modnet', '--quantize'], 'no 8-bit form.*RSQRT'),
    (['--zoom_out', '0.3'], '--zoom_out: has no effect without --backgrounds'),
    (['--background_probability', '0.3'], 'has no effect without --backgrounds'),
    (['--teacher_weight', '2'], 'has no effect without --teacher'),
    (['--teacher', 'x', '--unlabelled_batch_size', '2'], 'has no effect without --unlabelled')])
def test_flags_that_do_not_fit_are_named(args, named):
    with pytest.raises(UserError, match=named):
        from_flags(*args)


def test_self_supervision_takes_the_network_of_its_checkpoint():
    trained = from_flags('--model', 'modnet', '--image_size', '64', '--batch_norm_decay', '0.8',
                         '--learning_rate', '0.5')

    def adapted(*args):
        return flags.adapted_hparams(parse('--soc', *args), trained)
    settings = adapted('--batch_size', '2')
    assert settings.network == trained.network and settings.image_size == 64
    assert settings.training.soc and settings.training.batch_size == 2
    # Careful defaults, not those of the training.
    assert (settings.training.learning_rate, settings.training.max_steps) == (1e-5, 1000)
    assert settings.training.weight_decay == 0 and settings.objective == trained.objective
    assert adapted('--batch_norm_decay', '0.7').network.batch_norm_decay == 0.7
    for args, named in ((['--squeeze_excitation'], 'squeeze_excitation False'),
                        (['--detail_loss_weight', '5'], '--detail_loss_weight'),
                        (['--backgrounds', 'drawn'], '--backgrounds: does not apply'),
                        (['--teacher', 'x'], '--teacher: does not apply'),
                        (['--image_size', '128'], 'image_size 64, not 128'),
                        (['--model', 'mmnet'], 'model modnet, not mmnet')):
        with pytest.raises(UserError, match=f'--soc|{named}') as error:
            adapted(*args)
        assert named in str(error.value)
    with pytest.raises(UserError, match='cannot adapt mmnet.*modnet can be adapted'):
        flags.adapted_hparams(parse(), from_flags())
