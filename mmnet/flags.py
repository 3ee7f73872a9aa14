"""The flags of the entry points, made from the settings' declarations where there are any."""

import argparse
from typing import Dict, List, Tuple

from mmnet import cli, hparams, models, pretrained
from mmnet.cli import Parser, number, positive
from mmnet.errors import UserError
from mmnet.settings import Setting, Settings, declared_settings

# A setting by name: each network that has it, and how that network declares it.
Uses = Dict[str, List[Tuple[str, Setting]]]

# The settings that say how training photos vary.
VARIATION = ('augmentation', 'framing', 'zoom_out', 'background_probability')


def train_parser() -> Parser:
    """Makes the parser of train.py.

    The flag of a setting is None where it is not given; `hparams.from_flags` fills in the rest.
    """
    parser = Parser('Trains a portrait matting network. A directory that holds a training of the '
                    'same network is resumed.')
    cli.add_data_flags(parser, split='train')
    parser.add_argument('--dataset_weights', type=positive(float), nargs='+',
                        help='relative share of each data set in a batch, in the order of '
                        '--dataset_path; by default all photos count alike')
    parser.add_argument('--train_dir', required=True, help='directory for checkpoints, summaries '
                        'and hparams.json')
    parser.add_argument('--cache_dir', help='keep decoded photos in a file there instead of in '
                        'memory')
    network = parser.add_argument_group('network')
    network.add_argument('--model', help=f'{", ".join(models.NETWORKS)} '
                         f'({hparams.DEFAULT_MODEL})')
    add_network_flags(network)
    _add_settings(network, models.all_settings('settings'), training_only=True)
    training = parser.add_argument_group('training; defaults follow each network\'s paper')
    add_variation_flags(training)
    training.add_argument('--unlabelled', nargs='+', help='folders of photos without masks, for '
                          '--teacher')
    _add_published(training, {name: each for name, each in declared_settings(
        hparams.Training).items() if name not in VARIATION})
    _add_settings(parser.add_argument_group('objective'),
                  models.all_settings('objective_settings'))
    quantization = parser.add_argument_group('quantization-aware training')
    quantization.add_argument('--quantize', action='store_true',
                              help='round weights and activations as an 8-bit file will; start '
                              'from a trained network with --init_checkpoint')
    _add_published(quantization, declared_settings(hparams.Quantization))
    return parser


def export_parser() -> Parser:
    """Makes the parser of export_tflite.py."""
    parser = Parser('Writes a trained network as a .tflite file. The network is read from the '
                    'hparams.json beside the checkpoint.')
    parser.add_argument('--checkpoint_path', type=pretrained.find, required=True, help='a train '
                        'directory (its latest checkpoint), one checkpoint, or pretrained:NAME')
    parser.add_argument('--output', required=True, help='the file to write, e.g. model.tflite')
    parser.add_argument('--precision', choices=('float32', 'float16', 'uint8', 'int8'),
                        default='float32', help='float16 stores weights in half precision, half of '
                        'the bytes; uint8 and int8 take a network trained with --quantize')
    parser.add_argument('--check', choices=('gpu',), help='also make sure that a GPU takes every '
                        'layer of a float file and that none overflows in half precision')
    parser.add_argument('--io', choices=('uint8', 'float32'), help='what the file takes and '
                        'returns: bytes, the default of 8-bit files, or floats from 0 to 1')
    parser.add_argument('--softmax', choices=('lut', 'builtin', 'logistic'), default='logistic',
                        help='how two logits become an alpha: a table of all pairs of 8-bit '
                        'logits, the runtime\'s softmax, or the logistic function of one logit')
    size = declared_settings(hparams.HParams)['image_size']
    parser.add_argument('--image_size', type=number(size.kind, size.bounds),
                        help='side of the square that the file takes; by default as trained')
    parser.add_argument('--force', action='store_true', help='replace the output file')
    return parser


def add_network_flags(parser: argparse._ActionsContainer) -> None:
    """Adds the flags that say how large a network is and which blocks it has."""
    _add_published(parser, declared_settings(hparams.HParams))
    _add_settings(parser, models.all_settings('settings'))


def add_variation_flags(parser: argparse._ActionsContainer) -> None:
    """Adds the flags that say how training photos vary."""
    declared = declared_settings(hparams.Training)
    _add_published(parser, {name: declared[name] for name in VARIATION})
    parser.add_argument('--backgrounds', nargs='+', help='put people before new backgrounds: '
                        'drawn, pairs for those of other training photos, or folders of photos '
                        'without people')


def check_image_size(model: str, size: int, settings: Settings) -> None:
    """Refuses an --image_size that a network cannot take.

    Raises:
        UserError: names sizes that would do.
    """
    try:
        models.check_size(model, size, settings)
    except ValueError as error:
        raise UserError(f'--image_size {size}: {error}')


def _add_settings(parser: argparse._ActionsContainer, uses: Uses,
                  training_only: bool = False) -> None:
    """Adds a flag for every setting of the networks or their objectives.

    Its help is each network's own, with the network's name and default behind it.
    """
    for users in uses.values():
        users = [(name, each) for name, each in users if each.training_only == training_only]
        if not users:
            continue
        helps: Dict[str, List[str]] = {}
        for name, each in users:
            default = '' if each.kind is bool else f' {each.default}'
            helps.setdefault(each.help, []).append(name + default)
        _add_flag(parser, [each for _, each in users],
                  '; '.join(f'{text} ({", ".join(names)})' for text, names in helps.items()))


def _add_published(parser: argparse._ActionsContainer, declared: Dict[str, Setting]) -> None:
    """Adds a flag for every setting that all networks share, their defaults in its help."""
    for each in declared.values():
        defaults = [] if cli.silent(each.default) else [f'{each.default}']
        defaults += [f'{name} {spec.published[each.name]}' for name, spec in
                     models.NETWORKS.items() if each.name in spec.published]
        _add_flag(parser, [each], each.help + (f' ({", ".join(defaults)})' if defaults else ''))


def _add_flag(parser: argparse._ActionsContainer, declarations: List[Setting], text: str) -> None:
    """Adds one flag; where networks declare it differently, their own checks follow later."""
    first, text = declarations[0], text.replace('%', '%%')
    same = all((each.bounds, each.choices) == (first.bounds, first.choices)
               for each in declarations)
    if first.kind is bool:
        parser.add_argument(('--no_' if first.default else '--') + first.name, dest=first.name,
                            action='store_const', const=not first.default, help=text)
    elif first.choices and same:
        parser.add_argument('--' + first.name, type=first.kind, choices=first.choices, help=text)
    elif first.kind is str:
        parser.add_argument('--' + first.name, help=text)
    else:
        parser.add_argument('--' + first.name, help=text,
                            type=number(first.kind, first.bounds) if same else first.kind)
