"""The hyperparameters of a run, as `hparams.json` holds them.

    {"model": "mmnet", "image_size": 256,
     "network": {"width_multiplier": 1.0, ...},     as models.hparams_of names them
     "quantization": {"weight_bits": 8, "activation_bits": 8},      or null
     "training": {"batch_size": 32, ...}}           as the flags of train.py name them

All but `training` is the network: it may not change within a train directory.
"""

import argparse
import json
import os
from typing import Any, Dict, List, Optional

from mmnet import files, models
from mmnet.errors import UserError

FILE_NAME = 'hparams.json'
# Those of every training; its objective's settings are added. batch_norm_decay is an argument of
# the networks, but no part of what they compute.
TRAINING = ['dataset_path', 'dataset_split_name', 'init_checkpoint', 'batch_norm_decay',
            'batch_size', 'learning_rate', 'learning_rate_decay', 'weight_decay', 'augmentation',
            'max_steps', 'seed', 'save_checkpoints_steps', 'keep_checkpoint_max',
            'save_summary_steps', 'quant_delay', 'soc']
# Files from before there was a choice do not have these.
FORMERLY = {'quant_delay': 0, 'soc': False, 'augmentation': 'mmnet', 'learning_rate_decay': 1.0}
# How self-supervision trains: carefully, as nothing but the network itself tells what is right.
ADAPTATION = {'learning_rate': 1e-5, 'weight_decay': 0.0, 'max_steps': 1000}


def from_flags(args: argparse.Namespace) -> Dict[str, Any]:
    """Collects the hyperparameters and makes sure that the network can be built with them.

    What is not given on the command line is as published for the network.

    Raises:
        UserError: for an unknown network, a flag it does not have, a value it cannot take.
    """
    network = network_of(args)
    entry = models.network(network['model'])
    training = {name: getattr(args, name) for name in TRAINING}
    training.update(_objective_settings(args, network['model']))
    return _complete(network, training, models.training_of(network['model']),
                     _quantization(args, entry))


def adapted(args: argparse.Namespace, trained: Dict[str, Any]) -> Dict[str, Any]:
    """The hyperparameters of self-supervision: the network is that of a trained checkpoint.

    Args:
        args: of train.py with --soc.
        trained: the checkpoint's hyperparameters.

    Raises:
        UserError: for a network that cannot be adapted, and flags that contradict it.
    """
    entry = models.network(trained['model'])
    if entry.consistency is None or trained['quantization']:
        raise UserError('--soc: the checkpoint is of {}{}, which has no branches to be made '
                        'consistent; {} can be adapted'.format(
                            trained['model'], ' in 8 bits' if trained['quantization'] else '',
                            ', '.join(name for name, each in models.NETWORKS.items()
                                      if each.consistency)))
    identity = _identity(trained)
    given = dict(_given(args, _network_flags()), **_given(args, ['model', 'image_size']))
    for name, value in given.items():
        if value != identity.get(name):
            raise UserError('--soc: the network of --init_checkpoint has {} {}, not {}; leave the '
                            'flag out'.format(name, identity.get(name, 'unset'), value))
    for name in _given(args, _objective_flags()):
        raise UserError(f'--{name}: is no setting of --soc; leave it out')
    training = dict(trained['training'], **{name: getattr(args, name) for name in TRAINING})
    return _complete(trained, training, dict(models.training_of(trained['model']), **ADAPTATION),
                     _quantization(args, entry))


def network_of(args: argparse.Namespace) -> Dict[str, Any]:
    """What flags say of the network: `model`, `image_size`, and its own settings as `network`.

    Raises:
        UserError: for an unknown network, a flag it does not have, a value it cannot take.
    """
    name = args.model or 'mmnet'
    given = _given(args, _network_flags())
    size = args.image_size
    try:
        size = size or models.training_of(name)['image_size']
        network = models.hparams_of(name)
        del network['batch_norm_decay']
        models.count_parameters(name, size, **given)
    except ValueError as error:
        raise UserError(f"--model {name}{(f' --image_size {size}' if size else '')}: {error}")
    network.update(given)
    return {'model': name, 'image_size': size, 'network': network}


def _complete(network: Dict[str, Any], training: Dict[str, Any], published: Dict[str, Any],
              quantization: Optional[Dict[str, int]]) -> Dict[str, Any]:
    """The whole file, published values in the place of what is None."""
    for name, value in published.items():
        if training.get(name, 0) is None:
            training[name] = value
    return {'model': network['model'], 'image_size': network['image_size'],
            'network': network['network'], 'quantization': quantization, 'training': training}


def _network_flags() -> List[str]:
    return sorted({setting for name in models.NETWORKS for setting in models.hparams_of(name)
                   if setting != 'batch_norm_decay'})


def _objective_flags() -> List[str]:
    return sorted({setting for network in models.NETWORKS.values()
                   for setting in models.settings(network.objective)})


def _objective_settings(args: argparse.Namespace, model: str) -> Dict[str, Any]:
    """The settings of a network's objective, those not given as published."""
    settings = models.settings(models.network(model).objective)
    for name, value in _given(args, _objective_flags()).items():
        if name not in settings:
            raise UserError('--{}: is no setting of the objective of {}, which has {}'.format(
                name, model, ', '.join('--' + setting for setting in settings)))
        settings[name] = value
    return settings


def _given(args: argparse.Namespace, names: List[str]) -> Dict[str, Any]:
    """The flags that were given on the command line."""
    return {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}


def _quantization(args: argparse.Namespace, entry: models.Network) -> Optional[Dict[str, int]]:
    if args.quantize:
        if entry.float_only:
            raise UserError('--quantize: this network has no 8-bit form, as ' + entry.float_only)
        return {'weight_bits': args.weight_bits, 'activation_bits': args.activation_bits}
    if args.quant_delay or args.weight_bits != 8 or args.activation_bits != 8:
        raise UserError('--quant_delay, --weight_bits and --activation_bits are for quantized '
                        'training; pass --quantize with them')
    return None


def check_same_network(hparams: Dict[str, Any], train_dir: str) -> None:
    """Refuses a train directory that belongs to another network, or to self-supervision alone.

    Raises:
        UserError: names what differs.
    """
    if not os.path.exists(os.path.join(train_dir, FILE_NAME)):
        if os.path.exists(os.path.join(train_dir, 'checkpoint')):
            raise UserError('--train_dir {}: holds checkpoints but no {}; choose another'.format(
                train_dir, FILE_NAME))
        return
    theirs = read(train_dir)
    if theirs['training']['soc'] != hparams['training']['soc']:
        raise UserError('--train_dir {}: holds a training with{} --soc; choose another '
                        'directory'.format(train_dir, '' if theirs['training']['soc'] else 'out'))
    for key, ours in _identity(hparams).items():
        there = _identity(theirs).get(key)
        if there != ours:
            raise UserError('--train_dir {}: holds a training with {} {}, not {}; choose another '
                            'directory or the same setting'.format(train_dir, key, there, ours))


def read(train_dir: str) -> Dict[str, Any]:
    """Reads a train directory's `hparams.json`.

    Raises:
        UserError: if there is none, or it is damaged.
    """
    path = os.path.join(train_dir, FILE_NAME)
    try:
        with open(path) as file:
            hparams = json.load(file)
        hparams.setdefault('quantization', None)
        hparams['training'] = dict(FORMERLY, **hparams['training'])
        models.network(_identity(hparams)['model'])
        return hparams
    except OSError:
        raise UserError(f'{path}: not found; train.py writes it beside its checkpoints')
    except (ValueError, KeyError, TypeError):
        raise UserError('{}: is no hparams file of train.py; restore it or choose another '
                        'directory'.format(path))


def write(hparams: Dict[str, Any], train_dir: str) -> None:
    """Writes `hparams.json`, whole or not at all.

    Raises:
        UserError: if the directory cannot be written.
    """
    files.write_json(hparams, os.path.join(train_dir, FILE_NAME))


def changes(hparams: Dict[str, Any], train_dir: str) -> List[str]:
    """What a resumed training does differently from before, a line each."""
    if not os.path.exists(os.path.join(train_dir, FILE_NAME)):
        return []
    before = read(train_dir)['training']
    return [f'{name}: {value}, {before.get(name)} before'
            for name, value in hparams['training'].items() if value != before.get(name)]


def _identity(hparams: Dict[str, Any]) -> Dict[str, Any]:
    """What makes the network what it is."""
    identity = {'model': hparams['model'], 'image_size': hparams['image_size']}
    identity.update(hparams['network'])
    identity['quantization'] = hparams['quantization']
    return identity
