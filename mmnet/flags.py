"""The flags of the entry points, and the hyperparameters that they give.

Flags are made from the settings' declarations where there are any.
"""

import argparse
import dataclasses
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from mmnet import cli, hparams, models, pretrained
from mmnet.cli import Parser, number, positive
from mmnet.errors import UserError
from mmnet.hparams import ADAPTATION, HParams, Quantization, Training
from mmnet.settings import Setting, Settings, declared_settings, make, training_only_names

# A setting by name: each network that has it, and how that network declares it.
Uses = Dict[str, List[Tuple[str, Setting]]]

# The settings that say how training photos vary.
VARIATION = ('augmentation', 'framing', 'zoom_out', 'background_probability')
# What --soc does not take: settings that need masks, a teacher, or a share of the pairs.
NEED_TRUTH = ('validation_fraction', 'framing', 'zoom_out', 'backgrounds', 'background_probability',
              'teacher', 'teacher_weight', 'teacher_confidence', 'unlabelled',
              'unlabelled_batch_size')
# Settings that change nothing without another one.
NEEDS = {'unlabelled': 'teacher', 'teacher_weight': 'teacher', 'teacher_confidence': 'teacher',
         'unlabelled_batch_size': 'unlabelled', 'zoom_out': 'backgrounds',
         'background_probability': 'backgrounds'}


def train_parser() -> Parser:
    """Makes the parser of train.py.

    The flag of a setting is None where it is not given; `to_hparams` fills in the rest.
    """
    parser = Parser('Trains a portrait matting network. A directory that holds a run of the '
                    'same network is resumed.')
    cli.add_data_flags(parser, split=Training.dataset_split_name)
    parser.add_argument('--dataset_weights', type=positive(float), nargs='+',
                        help='relative share of each data set in a batch, in the order of '
                        '--dataset_path; by default every photo has the same weight')
    parser.add_argument('--train_dir', required=True, help='directory for checkpoints, summaries '
                        'and hparams.json')
    parser.add_argument('--cache_dir', help='folder for a file of decoded photos; by default they '
                        'are kept in memory')
    network = parser.add_argument_group('network')
    network.add_argument('--model', help=f'{", ".join(models.NETWORKS)} '
                         f'({hparams.DEFAULT_MODEL})')
    add_network_flags(network)
    _add_settings(network, models.all_settings('settings'), training_only=True)
    training = parser.add_argument_group('training; defaults follow each network\'s paper')
    add_variation_flags(training)
    training.add_argument('--unlabelled', nargs='+', help='folders of photos without masks, for '
                          '--teacher')
    _add_shared(training, {name: each for name, each in declared_settings(
        Training).items() if name not in VARIATION})
    _add_settings(parser.add_argument_group('objective'),
                  models.all_settings('objective_settings'))
    quantization = parser.add_argument_group('quantization-aware training')
    quantization.add_argument('--quantize', action='store_true',
                              help='round weights and activations as an 8-bit file will; start '
                              'from a trained network with --init_checkpoint')
    _add_shared(quantization, declared_settings(Quantization))
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
    size = declared_settings(HParams)['image_size']
    parser.add_argument('--image_size', type=number(size.kind, size.bounds),
                        help='side of the square that the file takes; by default as trained')
    parser.add_argument('--force', action='store_true', help='replace the output file')
    return parser


def add_network_flags(parser: argparse._ActionsContainer) -> None:
    """Adds the flags that say how large a network is and which blocks it has."""
    _add_shared(parser, declared_settings(HParams))
    _add_settings(parser, models.all_settings('settings'))


def add_variation_flags(parser: argparse._ActionsContainer) -> None:
    """Adds the flags that say how training photos vary."""
    declared = declared_settings(Training)
    _add_shared(parser, {name: declared[name] for name in VARIATION})
    parser.add_argument('--backgrounds', nargs='+', help='put people on new backgrounds: '
                        '"drawn", "pairs" (taken from other training photos), or folders of '
                        'photos without people; at most 500 of each')


def to_hparams(args: argparse.Namespace) -> HParams:
    """Collects the hyperparameters and makes sure that the network can be built with them.

    Flags that were left out default to the paper's values.

    Raises:
        UserError: for an unknown network, a flag it does not have, or a value it cannot take.
    """
    run = network_hparams(args)
    spec = models.network_spec(run.model)
    given = _given(args, models.all_settings('objective_settings'))
    known = declared_settings(spec.objective_settings)
    for name in given:
        if name not in known:
            raise UserError(f'--{name}: is not a setting of {run.model}\'s objective, which '
                            f'has {", ".join("--" + each for each in known)}')
    return dataclasses.replace(
        run, objective=make(spec.objective_settings, given, run.model),
        training=_training(args, spec.published), quantization=_quantization(args, spec))


def network_hparams(args: argparse.Namespace) -> HParams:
    """Collects the network's own hyperparameters; objective and training have their defaults.

    Raises:
        UserError: for an unknown network, a flag it does not have, or a value it cannot take.
    """
    model, size = args.model or hparams.DEFAULT_MODEL, args.image_size
    try:
        spec = models.network_spec(model)
        defaults = hparams.defaults_of(model)
        size = size or defaults['image_size']
        network = make(spec.settings, _given(args, models.all_settings('settings')), model)
        models.check_size(model, size, network)
        return HParams(model, network, spec.objective_settings(), Training(), image_size=size,
                       previous_alpha=bool(args.previous_alpha))
    except ValueError as error:
        shown = f' --image_size {size}' if size else ''
        raise UserError(f'--model {model}{shown}: {error}')


def adapted_hparams(args: argparse.Namespace, trained: HParams) -> HParams:
    """Collects the hyperparameters of self-supervision; a trained checkpoint gives the network.

    Args:
        args: of train.py with --soc.
        trained: the checkpoint's hyperparameters.

    Raises:
        UserError: for a network that cannot be adapted, and for flags that contradict it.
    """
    spec = models.network_spec(trained.model)
    if spec.consistency is None or trained.quantization:
        adaptable = ', '.join(name for name, each in models.NETWORKS.items() if each.consistency)
        raise UserError(f'--soc: cannot adapt {trained.model}'
                        f'{" in 8 bits" if trained.quantization else ""}, which has no branches '
                        f'to make consistent; {adaptable} can be adapted')
    identity = {**dataclasses.asdict(trained.network), **trained.identity()}
    given = _given(args, ['model', 'image_size', 'previous_alpha',
                          *models.all_settings('settings')])
    for name in training_only_names(spec.settings):
        given.pop(name, None)
    for name, value in given.items():
        if value != identity.get(name):
            raise UserError(f'--soc: the network of --init_checkpoint has {name} '
                            f'{identity.get(name, "unset")}, not {value}; leave the flag out')
    for name in _given(args, [*models.all_settings('objective_settings'), *NEED_TRUTH]):
        raise UserError(f'--{name}: does not apply to --soc; leave it out')
    network = dataclasses.replace(
        trained.network, **_given(args, training_only_names(spec.settings)))
    return dataclasses.replace(
        trained, network=network, training=_training(args, {**spec.published, **ADAPTATION}),
        quantization=_quantization(args, spec))


def _training(args: argparse.Namespace, defaults: Mapping[str, Any]) -> Training:
    names = [field.name for field in dataclasses.fields(Training)]
    values = {name: value for name, value in defaults.items() if name in names}
    values.update(_given(args, names))
    sets, weights = values['dataset_path'], values.get('dataset_weights')
    if weights is not None and len(weights) != len(sets):
        raise UserError(f'--dataset_weights: gives {len(weights)} weights for {len(sets)} data '
                        f'sets; give one for each')
    for name in hparams.LISTS:
        if values.get(name) is not None:
            values[name] = tuple(values[name])
    if values.get('learning_rate_schedule') == 'cosine':
        if args.learning_rate_decay not in (None, 1):
            raise UserError('--learning_rate_schedule cosine: has no --learning_rate_decay; leave '
                            'one of them out')
        # A network may be published with a decay.
        values['learning_rate_decay'] = 1.0
    training = make(Training, values, 'training')
    if args.quantize and training.quant_delay >= training.max_steps:
        raise UserError(f'--quant_delay {training.quant_delay}: must be below --max_steps '
                        f'{training.max_steps}, or nothing is rounded; change one of them')
    check_needs(args, training)
    if training.warm_up_steps >= training.max_steps:
        raise UserError(f'--warm_up_steps {training.warm_up_steps}: must be below --max_steps '
                        f'{training.max_steps}; change one of them')
    return training


def check_needs(args: argparse.Namespace, training: Training) -> None:
    """Refuses flags that change nothing without another one.

    Raises:
        UserError: names both.
    """
    for name, needed in NEEDS.items():
        if getattr(args, name, None) and not getattr(training, needed):
            raise UserError(f'--{name}: has no effect without --{needed}; add that, or leave '
                            f'--{name} out')


def _quantization(args: argparse.Namespace, spec: models.NetworkSpec) -> Optional[Quantization]:
    bits = _given(args, declared_settings(Quantization))
    if args.quantize:
        if spec.float_only:
            raise UserError(f'--quantize: this network has no 8-bit form: {spec.float_only}')
        return make(Quantization, bits, 'quantization')
    if args.quant_delay or bits:
        raise UserError('--quant_delay, --weight_bits, --activation_bits and --per_channel are for '
                        'quantized training; pass --quantize with them')
    return None


def _given(args: argparse.Namespace, names: Iterable[str]) -> Dict[str, Any]:
    """Returns the flags that were given on the command line."""
    return {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}


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

    Its help lists each network's own text, followed by the network's name and default.
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


def _add_shared(parser: argparse._ActionsContainer, declared: Dict[str, Setting]) -> None:
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
