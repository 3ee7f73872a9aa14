"""The flags of the entry points, all of them."""

import argparse
import os
import re
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from mmnet.errors import UserError


class Parser(argparse.ArgumentParser):
    """Ends bad usage in one line."""

    def __init__(self, description: str):
        super().__init__(description=description, formatter_class=_HelpFormatter)

    def error(self, message: str) -> None:
        self.exit(2, f'{self.prog}: error: {message}; --help lists the flags\n')


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something, and keeps a description's lines if it has several."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default in (None, False, '') or action.required:
            return action.help
        return super()._get_help_string(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if '\n' in text else super()._fill_text(text, width, indent)


def run(main: Callable[[], Optional[int]]) -> None:
    """Runs an entry point and exits with its status; a user's error becomes one line."""
    try:
        sys.exit(main())
    except UserError as error:
        print(f'{os.path.basename(sys.argv[0])}: error: {error}', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f'{os.path.basename(sys.argv[0])}: interrupted', file=sys.stderr)
        sys.exit(130)


def train_parser() -> Parser:
    """The flags of train.py."""
    # Here, as benchmarks read their flags where there is no TensorFlow.
    from mmnet import models
    from mmnet.data.augment import PRESETS
    parser = Parser('Trains a portrait matting network. A directory that holds a training of the '
                    'same network is resumed.')
    add_data_flags(parser, split='train')
    parser.add_argument('--train_dir', required=True, help='checkpoints, summaries, hparams.json')

    network = parser.add_argument_group('network')
    network.add_argument('--model', help=', '.join(models.NETWORKS) + '; mmnet if not given')
    add_network_flags(network)
    network.add_argument('--batch_norm_decay', type=fraction,
                         help='of the moving statistics; about 0.99 lets a run of a thousand steps '
                         'be evaluated; as published if not given')
    network.add_argument('--init_checkpoint', help='start from the variables in this checkpoint '
                         'whose names and shapes match, such as a slim MobileNetV2')

    training = parser.add_argument_group('training; what is not given is as published')
    training.add_argument('--batch_size', type=positive(int),
                          help='images a step' + _published('batch_size'))
    training.add_argument('--learning_rate', type=positive(float),
                          help='Adam\'s' + _published('learning_rate'))
    training.add_argument('--learning_rate_decay', type=positive(float),
                          help='what the learning rate is multiplied by in 20 epochs, little by '
                          'little' + _published('learning_rate_decay'))
    training.add_argument('--weight_decay', type=not_negative(float),
                          help='of all but depthwise convolutions' + _published('weight_decay'))
    training.add_argument('--augmentation', choices=list(PRESETS),
                          help='how photos are varied' + _published('augmentation'))
    training.add_argument('--max_steps', type=positive(int),
                          help='steps altogether, those before a resume included' +
                          _published('max_steps'))
    training.add_argument('--seed', type=not_negative(int),
                          help='makes weights, order and augmentation reproducible')
    training.add_argument('--soc', action='store_true',
                          help='adapt a trained modnet, given with --init_checkpoint, to the '
                          'unlabelled photos in the folder --dataset_path; 1,000 steps, a learning '
                          'rate of 1e-05 and no weight decay if not given')

    objective = parser.add_argument_group('objective')
    _add_settings(objective, 'objective')

    quantization = parser.add_argument_group('quantization-aware training')
    quantization.add_argument('--quantize', action='store_true',
                              help='round weights and activations as an 8-bit file will; start '
                              'from a trained network with --init_checkpoint')
    quantization.add_argument('--quant_delay', type=not_negative(int), default=0,
                              help='steps before rounding begins, for training from scratch')
    for name in ('weight', 'activation'):
        quantization.add_argument(f'--{name}_bits', type=int, choices=range(4, 9),
                                  default=8, help='fewer than 8 are for research')

    files = parser.add_argument_group('checkpoints and summaries')
    files.add_argument('--save_checkpoints_steps', type=positive(int), default=500,
                       help='steps between checkpoints, and between picture strips')
    files.add_argument('--keep_checkpoint_max', type=positive(int), default=5,
                       help='checkpoints to keep')
    files.add_argument('--save_summary_steps', type=positive(int), default=50,
                       help='steps between points of the curves')
    files.add_argument('--cache_dir', help='keep decoded photos in a file there instead of in '
                       'memory')
    return parser


def evaluate_parser() -> Parser:
    """The flags of evaluate.py."""
    parser = Parser('Measures checkpoints of a training, or an exported file, on a split; a '
                    'checkpoint\'s network is read from hparams.json beside it.')
    add_data_flags(parser, split='test')
    measured = parser.add_mutually_exclusive_group(required=True)
    measured.add_argument('--checkpoint_path',
                          help='a train directory (its latest checkpoint) or one checkpoint')
    measured.add_argument('--tflite_path', help='a file that export_tflite.py wrote')
    measured.add_argument('--always_foreground', action='store_true',
                          help='measure an alpha that is 1 everywhere, to compare with')
    parser.add_argument('--batch_size', type=positive(int), default=32, help='images at a time')
    parser.add_argument('--watch', action='store_true',
                        help='go on with every checkpoint as training writes it')
    parser.add_argument('--max_steps', type=positive(int),
                        help='with --watch: leave after a checkpoint of this step; by default the '
                        'training\'s own')
    parser.add_argument('--timeout', type=positive(float),
                        help='with --watch: leave when no checkpoint has come for so many seconds; '
                        'by default never')
    return parser


def export_parser() -> Parser:
    """The flags of export_tflite.py."""
    parser = Parser('Writes a trained network as a .tflite file; the network is read from '
                    'hparams.json beside the checkpoint.')
    parser.add_argument('--checkpoint_path', required=True,
                        help='a train directory (its latest checkpoint) or one checkpoint')
    parser.add_argument('--output', required=True, help='the file to write, e.g. model.tflite')
    parser.add_argument('--precision', choices=('float32', 'uint8', 'int8'), default='float32',
                        help='uint8 and int8 take a network trained with --quantize')
    parser.add_argument('--softmax', choices=('lut', 'builtin', 'logistic'), default='logistic',
                        help='how two logits become an alpha: a table of all pairs of 8-bit '
                        'logits, the runtime\'s softmax, or the logistic function of one logit')
    parser.add_argument('--image_size', type=positive(int),
                        help='side of the square that the file takes; as trained if not given')
    parser.add_argument('--force', action='store_true', help='replace the output file')
    return parser


def add_network_flags(parser: argparse._ActionsContainer) -> None:
    """The flags that say how large a network is, and which of its blocks it has."""
    parser.add_argument('--image_size', type=positive(int),
                        help='side of the square that photos are resized to' +
                        _published('image_size'))
    _add_settings(parser, 'build')


def _add_settings(parser: argparse._ActionsContainer, field: str) -> None:
    """A flag for every keyword argument of the networks' functions; None if it is not given.

    Args:
        parser: to add them to.
        field: of the networks' entries: `build` or `objective`.
    """
    # Here, as benchmarks read their flags where there is no TensorFlow.
    from mmnet import models
    uses: Dict[str, List[Tuple[str, Any, str]]] = {}
    for name, network in models.NETWORKS.items():
        function = getattr(network, field)
        for setting, default in models.settings(function).items():
            uses.setdefault(setting, []).append((name, default, _described(function, setting)))
    for setting, users in uses.items():
        _, default, text = users[0]
        if setting == 'batch_norm_decay':
            continue    # of every network
        if isinstance(default, bool):
            parser.add_argument(
                ('--no_' if default else '--') + setting, dest=setting, action='store_const',
                const=not default, help='{} ({})'.format(
                    re.sub('^False ', '', text), ', '.join(name for name, _, _ in users)))
        else:
            # All of an objective may be 0 but what it divides by.
            number = (not_negative if field == 'objective' and setting != 'temperature'
                      else positive)
            parser.add_argument('--' + setting, type=number(type(default)), help='{} ({})'.format(
                text, ', '.join('{} {}'.format(name, each) for name, each, _ in users)))


def _described(function: Callable, argument: str) -> str:
    """What a function's docstring says of an argument."""
    match = re.search(rf'^ +{argument}: (.+?)\.?\n(?= *\n| +\w+: | *$)',
                      function.__doc__ + '\n', re.MULTILINE | re.DOTALL)
    return ' '.join(match.group(1).split()).replace('%', '%%') if match else argument


def _published(name: str) -> str:
    """What every network is trained with, for a flag's help."""
    from mmnet import models
    default = models.TRAINING[name]
    uses = [default if isinstance(default, str) else f'{default:g}']
    uses += [f'{each} {network.training[name]}'
             for each, network in models.NETWORKS.items() if name in network.training]
    return f" ({', '.join(uses)})"


def add_data_flags(parser: Parser, split: str) -> None:
    """The flags that name a split of a dataset."""
    parser.add_argument('--dataset_path', required=True, help='holds <split>/image, <split>/mask')
    parser.add_argument('--dataset_split_name', default=split, help='folder of the split')
    parser.add_argument('--skip_bad_pairs', action='store_true',
                        help='go on without files that cannot be read or paired')


def add_matting_flags(parser: Parser, action: str = 'store') -> None:
    """The flags that say what makes a photo's alpha; the action `append` takes several networks."""
    parser.add_argument('--model', required=True, action=action, help='a file of export_tflite.py, '
                        'a train directory or one checkpoint')
    parser.add_argument('--refine', action='store_true', help='draw the alpha\'s edges along the '
                        'photo\'s with a guided filter')


def positive(number: type) -> Callable:
    """A flag's type: a number above 0."""
    return _bounded(number, lambda value: 0 < value < float('inf'), 'above 0')


def not_negative(number: type) -> Callable:
    """A flag's type: a number of at least 0."""
    return _bounded(number, lambda value: 0 <= value < float('inf'), 'at least 0')


def fraction(text: str) -> float:
    """A flag's type: a number between 0 and 1."""
    return _bounded(float, lambda value: 0 < value < 1, 'between 0 and 1')(text)


def _bounded(number: type, accepts: Callable, bounds: str) -> Callable:
    def parse(text: str):
        try:
            value = number(text)
        except ValueError:
            value = None
        if value is None or not accepts(value):
            kind = 'a whole number' if number is int else 'a number'
            raise argparse.ArgumentTypeError(f'{text} is not {kind} {bounds}')
        return value
    return parse
