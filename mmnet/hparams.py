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
from mmnet.flags import LOSS_WEIGHTS

FILE_NAME = 'hparams.json'
# batch_norm_decay is an argument of the networks, but no part of what they compute.
TRAINING = ['dataset_path', 'dataset_split_name', 'init_checkpoint', 'batch_norm_decay',
            'batch_size', 'learning_rate', 'weight_decay', 'max_steps', 'seed',
            'save_checkpoints_steps', 'keep_checkpoint_max', 'save_summary_steps', 'quant_delay',
            ] + [name + '_loss_weight' for name in LOSS_WEIGHTS]
NETWORK_FLAGS = ['width_multiplier', 'output_stride', 'dilation', 'enhancement', 'refinement']


def from_flags(args: argparse.Namespace) -> Dict[str, Any]:
    """Collects the hyperparameters and makes sure that the network can be built with them.

    Raises:
        UserError: for an unknown network, a flag it does not have, a value it cannot take.
    """
    return {'model': args.model, 'image_size': args.image_size, 'network': network_of(args),
            'quantization': _quantization(args),
            'training': {name: getattr(args, name) for name in TRAINING}}


def network_of(args: argparse.Namespace) -> Dict[str, Any]:
    """The network's own hyperparameters, those not given on the command line as published.

    Raises:
        UserError: for an unknown network, a flag it does not have, a value it cannot take.
    """
    given = {name: getattr(args, name) for name in NETWORK_FLAGS
             if getattr(args, name) is not None}
    try:
        network = models.hparams_of(args.model)
        del network['batch_norm_decay']
        models.count_parameters(args.model, args.image_size, **given)
    except ValueError as error:
        raise UserError('--model {} --image_size {}: {}'.format(
            args.model, args.image_size, error))
    network.update(given)
    return network


def _quantization(args: argparse.Namespace) -> Optional[Dict[str, int]]:
    if args.quantize:
        return {'weight_bits': args.weight_bits, 'activation_bits': args.activation_bits}
    if args.quant_delay or args.weight_bits != 8 or args.activation_bits != 8:
        raise UserError('--quant_delay, --weight_bits and --activation_bits are for quantized '
                        'training; pass --quantize with them')
    return None


def check_same_network(hparams: Dict[str, Any], train_dir: str) -> None:
    """Refuses a train directory that belongs to another network.

    Raises:
        UserError: names what differs.
    """
    if not os.path.exists(os.path.join(train_dir, FILE_NAME)):
        if os.path.exists(os.path.join(train_dir, 'checkpoint')):
            raise UserError('--train_dir {}: holds checkpoints but no {}; choose another'.format(
                train_dir, FILE_NAME))
        return
    theirs = read(train_dir)
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
        # Files from before quantization do not have it.
        hparams.setdefault('quantization', None)
        hparams['training'].setdefault('quant_delay', 0)
        _identity(hparams)
        return hparams
    except OSError:
        raise UserError('{}: not found; train.py writes it beside its checkpoints'.format(path))
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
    return ['{}: {}, {} before'.format(name, value, before.get(name))
            for name, value in hparams['training'].items() if value != before.get(name)]


def _identity(hparams: Dict[str, Any]) -> Dict[str, Any]:
    """What makes the network what it is."""
    identity = {'model': hparams['model'], 'image_size': hparams['image_size']}
    identity.update(hparams['network'])
    identity['quantization'] = hparams['quantization']
    return identity
