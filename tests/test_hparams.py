"""Flags and hyperparameters that follow from the registry of networks."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.contrib import slim

from mmnet import flags, hparams, losses, models, training
from mmnet.errors import UserError
from mmnet.models import layers

REQUIRED = ['--dataset_path', 'data', '--train_dir', 'run']


def from_flags(*args):
    return hparams.from_flags(flags.train_parser().parse_args(REQUIRED + list(args)))


def test_what_is_not_given_is_as_published():
    settings = from_flags('--model', 'portraitnet', '--batch_size', '8')
    published = {'learning_rate': 1e-3, 'learning_rate_decay': 0.95, 'weight_decay': 5e-4,
                 'augmentation': 'portraitnet', 'boundary_loss_weight': 0.3,
                 'consistency_loss_weight': 2.0, 'temperature': 1.0, 'focal_gamma': 2.0}
    assert settings['image_size'] == 224 and settings['training']['batch_size'] == 8
    assert {name: settings['training'][name] for name in published} == published
    settings = from_flags()
    assert (settings['model'], settings['image_size']) == ('mmnet', 256)
    assert settings['training']['learning_rate'] == 1e-4
    assert settings['training']['alpha_loss_weight'] == 1.0
    settings = from_flags('--model', 'modnet', '--image_size', '64', '--squeeze_excitation')
    assert settings['network'] == {'squeeze_excitation': True}
    weights = {name: value for name, value in settings['training'].items()
               if name.endswith('_loss_weight')}
    assert weights == {'semantic_loss_weight': 1.0, 'detail_loss_weight': 10.0,
                       'matte_loss_weight': 1.0}


def toy(images, is_training, stripes=3, mirrored=False, batch_norm_decay=0.9):
    """A network that a test adds.

    Args:
        images: as ever.
        stripes: how many channels
            it has, 100 % of them.
        mirrored: turns it round.
        batch_norm_decay: as ever.
    """
    net = slim.conv2d(images, stripes, 1, scope='toy')
    return layers.logits_conv(net[:, :, ::-1] if mirrored else net, 'logits'), {}


def toy_objective(run, batch, toy_loss_weight=4.0):
    """Its objective.

    Args:
        toy_loss_weight: of its only term.
    """
    logits, _ = run(batch.images)
    term = tf.reduce_mean(tf.square(logits))
    return losses.Objective(logits, {'toy': term}, toy_loss_weight * term)


def test_a_network_needs_nothing_but_its_entry(monkeypatch, capsys):
    monkeypatch.setitem(models.NETWORKS, 'toy', models.Network(
        toy, toy_objective, {'image_size': 48}))
    settings = from_flags('--model', 'toy', '--stripes', '5', '--mirrored',
                          '--toy_loss_weight', '2', '--weight_decay', '0')
    assert settings['image_size'] == 48
    assert settings['network'] == {'stripes': 5, 'mirrored': True}
    assert settings['training']['toy_loss_weight'] == 2.0
    images = np.random.RandomState(0).rand(2, 48, 48, 3).astype(np.float32)
    objective = training.build_objective(losses.Batch(tf.constant(images), None), settings, True)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        total, term = session.run([objective.total, objective.terms['toy']])
    assert total == pytest.approx(2 * term) and term > 0
    with pytest.raises(UserError, match='stripes'):
        from_flags('--model', 'mmnet', '--stripes', '5')
    with pytest.raises(UserError, match='--toy_loss_weight.*--alpha_loss_weight'):
        from_flags('--toy_loss_weight', '5')
    with pytest.raises(SystemExit):
        flags.train_parser().parse_args(['--help'])
    help_text = ' '.join(capsys.readouterr().out.split())
    assert 'how many channels it has, 100 % of them (toy 3)' in help_text
    assert 'turns it round (toy)' in help_text and 'of its only term (toy 4.0)' in help_text


def test_files_of_older_trainings_are_read(tmp_path):
    settings = from_flags()
    for name in ('soc', 'augmentation', 'learning_rate_decay', 'quant_delay'):
        del settings['training'][name]
    del settings['quantization']
    (tmp_path / hparams.FILE_NAME).write_text(json.dumps(settings))
    read = hparams.read(str(tmp_path))
    assert read['quantization'] is None
    assert read['training']['augmentation'] == 'mmnet' and not read['training']['soc']
