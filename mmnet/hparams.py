"""The hyperparameters of a run: typed, checked, and stored in `hparams.json`.

    {"format": 4, "model": "mmnet", "image_size": 256, "previous_alpha": false,
     "network": {"width_multiplier": 1.0, ...},             settings of the network
     "quantization": {"weight_bits": 8, ...},               or null
     "training": {"batch_size": 32, ...}}                   everything else

Within a train directory, only `training` may change. Even there, `soc` and `validation_fraction`
stay as they are, and `ema_decay` is neither added nor removed.

    run = hparams.read('TRAIN_DIR')
    run.network.width_multiplier, run.training.batch_size
"""

import dataclasses
import glob
import json
import os
from typing import Any, Dict, List, Mapping, Optional, Tuple

from mmnet import files, models
from mmnet.cli import SEEDS
from mmnet.data.augment import PRESETS
from mmnet.errors import UserError
from mmnet.settings import Settings, declared_settings, make, setting, training_only_names

FILE_NAME = 'hparams.json'
# Format 1, which has no such key, kept `batch_norm_decay: null` and lacked the newer settings. In
# formats 1 and 2, `dataset_path` was a single path. Before format 4, no network had a memory.
FORMAT = 4
DEFAULT_MODEL = 'mmnet'
# Settings of the training that are lists, and what they are lists of.
LISTS = {'dataset_path': str, 'dataset_weights': float, 'backgrounds': str, 'unlabelled': str}
# A network's activations at this size take gigabytes for a single image.
LARGEST_SIZE = 4096
# Self-supervision takes small steps, because its only target is the network itself.
ADAPTATION = {'learning_rate': 1e-5, 'weight_decay': 0.0, 'max_steps': 1000}


@dataclasses.dataclass(frozen=True)
class Quantization(Settings):
    """The grids of quantization-aware training."""
    weight_bits: int = setting(8, 'bits of a weight; fewer than 8 are for research',
                               choices=range(4, 9))
    activation_bits: int = setting(8, 'bits of an activation; fewer than 8 are for research',
                                   choices=range(4, 9))
    per_channel: bool = setting(
        False, 'give the weights of each output channel their own range; int8 files support this, '
        'uint8 files do not')


@dataclasses.dataclass(frozen=True)
class Training(Settings):
    """How a network is trained. The defaults are MMNet's (Section 3).

    Fields without a `setting` get their flags in `mmnet.flags`.
    """
    dataset_path: Tuple[str, ...] = ()
    dataset_weights: Optional[Tuple[float, ...]] = None
    dataset_split_name: str = 'train'
    validation_fraction: Optional[float] = setting(
        None, 'leave out this share of every data set, for evaluate.py --validation', above=0,
        below=1)
    init_checkpoint: Optional[str] = setting(
        None, 'start from the variables whose names and shapes match: of a train directory, a '
        'checkpoint such as a slim MobileNetV2, or pretrained:NAME')
    batch_size: int = setting(32, 'images per step and worker', above=0)
    learning_rate: float = setting(1e-4, 'Adam\'s learning rate', above=0)
    scale_learning_rate: bool = setting(
        False, 'multiply the learning rate by the number of workers; use it with --warm_up_steps')
    learning_rate_decay: float = setting(
        1.0, 'factor on the learning rate in every 20 epochs, applied smoothly', above=0)
    learning_rate_schedule: str = setting(
        'exponential', 'exponential falls by --learning_rate_decay; cosine falls to 0 at '
        '--max_steps along half a cosine', choices=('exponential', 'cosine'))
    warm_up_steps: int = setting(
        0, 'steps in which the learning rate rises to its full value', minimum=0)
    ema_decay: Optional[float] = setting(
        None, 'keep an exponential moving average of the weights with this decay, such as 0.999; '
        'evaluation and export use the average', above=0, below=1)
    weight_decay: float = setting(
        4e-7, 'L2 weight decay of all but depthwise convolutions', minimum=0)
    augmentation: str = setting('mmnet', 'how photos are varied', choices=tuple(PRESETS))
    framing: float = setting(
        0.0, 'probability of a random crop between the whole photo and head and shoulders',
        minimum=0, maximum=1)
    zoom_out: float = setting(
        0.0, 'probability that a person on a new background is shown smaller, down to a third of '
        'the size', minimum=0, maximum=1)
    backgrounds: Optional[Tuple[str, ...]] = None
    background_probability: float = setting(
        0.5, 'probability of a new background, where --backgrounds are given', minimum=0,
        maximum=1)
    teacher: Optional[str] = setting(
        None, 'also train against the alphas of this network: a train directory, a checkpoint, '
        'an exported file or pretrained:NAME')
    teacher_weight: float = setting(1.0, 'weight of the teacher\'s loss', minimum=0)
    teacher_confidence: float = setting(
        0.0, 'leave out photos where the teacher\'s alpha has a mean |2α − 1| below this',
        minimum=0, maximum=1)
    unlabelled: Optional[Tuple[str, ...]] = None
    unlabelled_batch_size: int = setting(
        16, 'photos of --unlabelled in a step, besides --batch_size', above=0)
    max_steps: int = setting(
        100000, 'steps in total, those before a resume included', above=0)
    seed: Optional[int] = setting(
        None, 'makes initial weights, order and augmentation reproducible', minimum=0, below=SEEDS)
    soc: bool = setting(
        False, 'adapt the modnet of --init_checkpoint to photos without masks, in the folder '
        f'--dataset_path; defaults become {ADAPTATION["max_steps"]:,} steps, a learning rate of '
        f'{ADAPTATION["learning_rate"]:g} and no weight decay')
    stock_gradients: bool = setting(
        False, 'use TensorFlow\'s own gradients on a CPU, which are slower and take more memory')
    quant_delay: int = setting(
        0, 'steps before rounding begins, for quantized training from scratch', minimum=0)
    save_checkpoints_steps: int = setting(
        500, 'steps between checkpoints, and between picture strips', above=0)
    keep_checkpoint_max: int = setting(5, 'checkpoints to keep', above=0)
    save_summary_steps: int = setting(50, 'steps between points of the curves', above=0)

    @property
    def averaged(self) -> bool:
        """Whether checkpoints hold an average of the weights."""
        return self.ema_decay is not None


@dataclasses.dataclass(frozen=True)
class HParams(Settings):
    """The hyperparameters of a run.

    Attributes:
        model: a key of `models.NETWORKS`.
        network: the settings of that network.
        objective: the settings of its objective.
        training: how it is trained.
        quantization: its grids; None for a float network.
        image_size: side of the square that the network takes, in pixels.
        previous_alpha: whether it also takes the alpha of a video's last frame.
    """
    model: str
    network: Any
    objective: Any
    training: Training
    quantization: Optional[Quantization] = None
    image_size: int = setting(256, 'side of the square that photos are resized to', above=0,
                              maximum=LARGEST_SIZE)
    previous_alpha: bool = setting(
        False, 'give the network the alpha of a video\'s last frame as a fourth input channel')

    @property
    def channels(self) -> int:
        """Channels of the network's input: red, green, blue, and maybe the previous alpha."""
        return 3 + self.previous_alpha

    def to_json(self) -> Dict[str, Any]:
        """Returns the content of `hparams.json`."""
        network = dataclasses.asdict(self.network)
        apart = {name: network.pop(name) for name in training_only_names(type(self.network))}
        return {
            'format': FORMAT, 'model': self.model, 'image_size': self.image_size,
            'previous_alpha': self.previous_alpha,
            'network': network,
            'quantization': self.quantization and dataclasses.asdict(self.quantization),
            'training': {**dataclasses.asdict(self.training), **apart,
                         **dataclasses.asdict(self.objective)}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> 'HParams':
        """Reads the JSON of any version; missing settings have their defaults.

        Raises:
            ValueError: for missing keys, unknown settings, and values that are not allowed.
        """
        if not isinstance(content, dict) or not all(
                isinstance(content.get(key), dict) for key in ('network', 'training')):
            raise ValueError('it does not hold a network and its training')
        if 'image_size' not in content:
            raise ValueError('it has no image_size')
        if content.get('format', 1) not in range(1, FORMAT + 1):
            raise ValueError(f'its format is {content["format"]}; this version reads 1 to {FORMAT}')
        model = content.get('model')
        if not isinstance(model, str):
            raise ValueError('it does not name a model')
        spec = models.network_spec(model)
        network, training = dict(content['network']), dict(content['training'])
        for name in training_only_names(spec.settings):
            network[name] = training.pop(name, None)
        objective = {name: training.pop(name) for name in declared_settings(spec.objective_settings)
                     if name in training}
        for name in LISTS:
            if training.get(name) is not None:
                training[name] = _tuple(name, training[name])
        previous_alpha = content.get('previous_alpha', False)
        if not isinstance(previous_alpha, bool):
            raise ValueError(f'previous_alpha {previous_alpha} is neither true nor false')
        quantization = content.get('quantization')
        if quantization is not None:
            quantization = make(Quantization, quantization, 'quantization')
        run = cls(model, make(spec.settings, network, model),
                  make(spec.objective_settings, objective, model),
                  make(Training, training, 'training'), quantization, content['image_size'],
                  previous_alpha)
        models.check_size(model, run.image_size, run.network)
        return run

    def identity(self) -> Dict[str, Any]:
        """Returns the values that identify the network, by the names of train.py's flags."""
        content = self.to_json()
        return {'model': self.model, 'image_size': self.image_size,
                'previous_alpha': self.previous_alpha, **content['network'],
                'quantize': self.quantization is not None, **(content['quantization'] or {})}


def defaults_of(model: str) -> Dict[str, Any]:
    """Returns how a network is trained by default, by the names of train.py's flags.

    Raises:
        ValueError: for an unknown network, and for one whose `published` names another setting.
    """
    defaults = {each.name: each.default for cls in (HParams, Training)
                for each in declared_settings(cls).values()}
    differing = models.network_spec(model).published
    unknown = sorted({*differing} - {*defaults})
    if unknown:
        raise ValueError(f'{model} is published with {", ".join(unknown)}, which no training has')
    return {**defaults, **differing}


def _tuple(name: str, value: Any) -> Tuple:
    """Returns a stored path or list as a tuple.

    Raises:
        ValueError: for anything else.
    """
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    kinds: Tuple[type, ...] = (int, float) if LISTS[name] is float else (LISTS[name],)
    if not all(isinstance(each, kinds) for each in values):
        wanted = 'numbers' if LISTS[name] is float else 'paths'
        raise ValueError(f'{name} {value} is not a list of {wanted}')
    return values


def check_resumable(hparams: HParams, train_dir: str) -> None:
    """Refuses a train directory that belongs to another network, or to another kind of run.

    Raises:
        UserError: names what differs.
    """
    # A run that failed before its first checkpoint may be replaced.
    if not glob.glob(os.path.join(glob.escape(train_dir), 'model.ckpt-*.index')):
        return
    if not os.path.exists(os.path.join(train_dir, FILE_NAME)):
        raise UserError(f'--train_dir {train_dir}: holds checkpoints but no {FILE_NAME}; choose '
                        f'another directory')
    theirs = read(train_dir)
    for flag, held, wanted in (
            ('--soc', theirs.training.soc, hparams.training.soc),
            ('--ema_decay', theirs.training.averaged, hparams.training.averaged)):
        if held != wanted:
            raise UserError(f'--train_dir {train_dir}: holds a run {"with" if held else "without"} '
                            f'{flag}; choose another directory or the same setting')
    fraction = theirs.training.validation_fraction
    if fraction != hparams.training.validation_fraction:
        held_out = f'--validation_fraction {fraction}' if fraction else 'no --validation_fraction'
        raise UserError(f'--train_dir {train_dir}: holds a run with {held_out}; choose another '
                        f'directory or the same --validation_fraction')
    for name, ours in hparams.identity().items():
        there = theirs.identity().get(name)
        if there != ours:
            raise UserError(f'--train_dir {train_dir}: holds a run with {name} {there}, not '
                            f'{ours}; choose another directory or the same setting')
    if hparams.quantization and hparams.training.quant_delay and not theirs.training.quant_delay:
        # A delay adds a step counter, a variable that checkpoints without a delay lack.
        raise UserError(f'--train_dir {train_dir}: holds a run without --quant_delay; choose '
                        f'another directory or leave it out')


def read_beside(checkpoint: str) -> HParams:
    """Reads the `hparams.json` in a checkpoint's directory; see `read`."""
    return read(os.path.dirname(checkpoint) or '.')


def read(train_dir: str) -> HParams:
    """Reads a train directory's `hparams.json`.

    Raises:
        UserError: if the file is missing or damaged.
    """
    path = os.path.join(train_dir, FILE_NAME)
    try:
        with open(path) as file:
            return HParams.from_json(json.load(file))
    except OSError:
        raise UserError(f'{path}: not found; train.py writes it beside its checkpoints')
    except (ValueError, TypeError) as error:
        raise UserError(f'{path}: is not an hparams file of train.py ({error}); restore it or '
                        f'choose another directory')


def write(hparams: HParams, train_dir: str) -> None:
    """Writes `hparams.json`, whole or not at all.

    Raises:
        UserError: if the directory cannot be written.
    """
    files.write_json(hparams.to_json(), os.path.join(train_dir, FILE_NAME))


def changes(hparams: HParams, train_dir: str) -> List[str]:
    """Lists what a resumed run does differently from before, a line each."""
    if not os.path.exists(os.path.join(train_dir, FILE_NAME)):
        return []
    before = read(train_dir).to_json()['training']
    return [f'{name}: {value}, {before.get(name)} before'
            for name, value in hparams.to_json()['training'].items() if value != before.get(name)]
