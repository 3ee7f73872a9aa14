"""The rows of the paper's tables, with the paper's figures.

A row is called as in the paper: `MD16-0.75` is Mobile DeepLabv3 at output stride 16 and width 0.75,
`*` marks photos of 128×128 pixels, and `Q` 8 bits.
"""

import dataclasses
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from mmnet.errors import UserError

SIZE, SMALL_SIZE = 256, 128
# What follows a name at another size than 256.
MARK = re.compile(r'(\*|@\d+)$')
WHOLE = 'MMNet-1.00'
RIVAL = 'MD16-0.75'


@dataclasses.dataclass(frozen=True)
class Row:
    """A network that is trained for a table.

    Attributes:
        name: as in the paper, without the mark of its size.
        flags: of train.py, for the network and its objective.
        image_size: side of the square that the network takes.
        float_row: for 8 bits, the name of the row whose weights it starts from.
    """
    name: str
    flags: Tuple[str, ...]
    image_size: int
    float_row: Optional[str] = None

    @property
    def label(self) -> str:
        """The name with the mark of its size: `*` for 128, nothing for 256, `@192` for 192."""
        return self.name + {SIZE: '', SMALL_SIZE: '*'}.get(self.image_size, f'@{self.image_size}')


def _mmnet(width: str, *flags: str) -> Tuple[str, ...]:
    return ('--model', 'mmnet', '--width_multiplier', width) + flags


def _deeplab(stride: str, width: str) -> Tuple[str, ...]:
    return ('--model', 'deeplab', '--output_stride', stride, '--width_multiplier', width)


BACKGROUNDS = ('--backgrounds', 'drawn', 'pairs', '--background_probability', '0.7')
PRETRAINED = 'pretrained:mmnet_dm1.0_256'
# The parts of scripts/train_recipe.sh, each alone, and together. Zooming out needs new backgrounds.
PARTS: Dict[str, Tuple[str, ...]] = {
    'backgrounds': BACKGROUNDS, 'zoom-out': (*BACKGROUNDS, '--zoom_out', '0.4'),
    'framing': ('--framing', '0.5'), 'texture': ('--augmentation', 'mmnet_texture'),
    'schedule': ('--learning_rate_schedule', 'cosine', '--warm_up_steps', '50'),
    'average': ('--ema_decay', '0.99'),
}
RECIPE: Dict[str, Tuple[str, ...]] = {
    **{f'With {part}': given for part, given in PARTS.items()},
    'With all parts': sum((given for part, given in PARTS.items() if part != 'backgrounds'), ()),
    # What else a run may begin with or learn from: the pretrained network.
    'With a teacher': ('--teacher', PRETRAINED),
    'With pretraining': ('--init_checkpoint', PRETRAINED),
}
NETWORKS: Dict[str, Tuple[str, ...]] = {
    **{f'MMNet-{width}': _mmnet(width) for width in ('0.50', '0.75', '1.00', '1.40')},
    **{f'MD{stride}-{width}': _deeplab(stride, width)
       for stride in ('8', '16') for width in ('0.35', '0.50', '0.75', '1.00')},
    'No dilation': _mmnet('1.00', '--no_dilation'),
    'No enhancement': _mmnet('1.00', '--no_enhancement'),
    'No refinement': _mmnet('1.00', '--no_refinement'),
    **{f'No {loss} loss': _mmnet('1.00', f'--{loss}_loss_weight', '0')
       for loss in ('alpha', 'compositional', 'kl', 'gradient', 'auxiliary')},
    **{name: _mmnet('1.00', *given) for name, given in RECIPE.items()},
    'MMNet-1.00Q': _mmnet('1.00'), 'MD16-0.75Q': _deeplab('16', '0.75'),
}
FLOAT_ROWS = {'MMNet-1.00Q': WHOLE, 'MD16-0.75Q': RIVAL}


class Figures(NamedTuple):
    """A row's figures in the paper; None where it prints nothing.

    Attributes:
        milliseconds: on a Xiaomi Mi 5, one core.
        gradient_error: × 1000.
        mad: × 100.
        parameters: in millions.
    """
    milliseconds: Optional[float] = None
    gradient_error: Optional[float] = None
    mad: Optional[float] = None
    parameters: Optional[float] = None


TABLE_2 = {
    'Graph-cut trimap': Figures(None, 4.93), 'Trimap by [28]': Figures(None, 4.61),
    'Trimap by FCN': Figures(None, 4.14), 'Trimap by DeepLab': Figures(None, 3.91),
    'Trimap by CRFasRNN': Figures(None, 3.56), 'DAPM': Figures(None, 3.03),
    'LDN+FB': Figures(140, 7.40), 'MD16-0.75': Figures(146, 3.23),
    'MD16-1.00': Figures(203, 3.22), 'MD16-0.75*': Figures(38, 3.71),
    'MMNet-1.00': Figures(129, 2.93), 'MMNet-1.40': Figures(213, 2.86),
    'MMNet-1.00*': Figures(32, 3.38),
}
TABLE_3 = {
    'MD16-0.75': Figures(146, 3.25, 2.31, 1.327), 'MMNet-1.00': Figures(129, 2.93, 2.48, 0.199),
    'MD8-0.75*': Figures(113, 3.53, 2.61, 1.327), 'MMNet-0.75': Figures(90, 2.99, 2.65, 0.127),
    'MD16-0.50': Figures(82, 3.36, 2.53, 0.454), 'MD8-0.50*': Figures(66, 3.61, 2.85, 0.713),
    'MMNet-0.50': Figures(61, 3.17, 2.83, 0.069), 'MMNet-1.40*': Figures(55, 3.38, 2.72, 0.369),
    'MD16-1.00*': Figures(53, 3.68, 2.88, 2.142), 'MD8-0.35*': Figures(44, 3.72, 3.07, 0.454),
    'MD16-0.75*': Figures(38, 3.77, 2.96, 1.327), 'MMNet-1.00*': Figures(32, 3.44, 2.97, 0.199),
    'MMNet-1.00Q': Figures(98, 2.88, 2.47, 0.199),
}
TABLE_4 = {
    'No dilation': Figures(None, 3.25), 'No enhancement': Figures(None, 3.04),
    'No refinement': Figures(None, 3.07), 'MMNet-1.00': Figures(None, 2.93),
}
# Mean and standard deviation on Pixel 1, Mi 5 and iPhone 8, in milliseconds.
TABLE_5: Dict[str, List[Optional[Tuple[int, int]]]] = {
    'MD16-0.75': [(142, 2), (146, 1), (32, 0)], 'MMNet-1.00': [(127, 1), (129, 1), (30, 0)],
    'MD8-0.75*': [(111, 1), (113, 1), (22, 0)], 'MMNet-0.75': [(87, 1), (90, 1), (22, 0)],
    'MD16-0.50': [(80, 1), (82, 1), (19, 0)], 'MD8-0.50*': [(66, 1), (66, 1), (13, 0)],
    'MMNet-0.50': [(60, 0), (61, 1), (15, 0)], 'MMNet-1.40*': [(53, 1), (55, 1), (12, 0)],
    'MD16-1.00*': [(53, 1), (53, 1), (12, 0)], 'MD8-0.35*': [(45, 1), (44, 0), (9, 0)],
    'MD16-0.75*': [(38, 1), (38, 1), (8, 0)], 'MMNet-1.00*': [(33, 1), (32, 1), (8, 0)],
    'MD16-0.75Q': [(104, 1), None, None], 'MMNet-1.00Q': [(98, 2), (98, 1), None],
}
PHONES = ('Pixel 1', 'Mi 5', 'iPhone 8')
# Table 3's last cluster of float rows: the class below 60 ms.
FAST = ('MMNet-1.40*', 'MD16-1.00*', 'MD8-0.35*', 'MD16-0.75*', 'MMNet-1.00*')
LOSSES = tuple(name for name in NETWORKS if name.endswith(' loss')) + (WHOLE,)

# The rows of each target in the paper's order; rows that we cannot train have no network.
TARGETS: Dict[str, Tuple[str, ...]] = {
    'table2': tuple(TABLE_2), 'table3': tuple(TABLE_3), 'table4': tuple(TABLE_4),
    'table5': tuple(TABLE_5), 'losses': LOSSES, 'recipe': (WHOLE, *RECIPE),
    'figure1': tuple(dict.fromkeys([*TABLE_3, *TABLE_2])),
    'figure5': (RIVAL, WHOLE, WHOLE + '*'),
}


def trainable(label: str) -> bool:
    """Returns whether a row has a network here; the paper copies some from other papers."""
    return MARK.sub('', label) in NETWORKS


def make_row(label: str, image_size: Optional[int] = None) -> Row:
    """Makes the row that a label names.

    Args:
        label: as in the paper; widths may be shortened, as in `MMNet-1.0`.
        image_size: another size than the label's.

    Raises:
        UserError: for a label without a network.
    """
    name, mark = re.fullmatch(r'(.*?)(\*|@\d+)?', label.strip()).groups()  # type: ignore
    known = {each.lower(): each for each in NETWORKS}
    width = re.search(r'-(\d\.\d+)', name)
    if width and name.lower() not in known:
        name = name.replace(width.group(), f'-{float(width.group(1)):.2f}')
    if name.lower() not in known:
        raise UserError(f'--rows {label}: is not a row that can be trained; there are '
                        f'{", ".join(NETWORKS)}')
    name = known[name.lower()]
    size = SMALL_SIZE if mark == '*' else int(mark[1:]) if mark else SIZE
    return Row(name, NETWORKS[name], image_size or size, FLOAT_ROWS.get(name))


def rows_of(targets: Sequence[str], sizes: Sequence[int] = (),
            names: Sequence[str] = ()) -> List[Row]:
    """Lists the rows to train for one or more targets, in the paper's order.

    Args:
        targets: keys of `TARGETS`.
        sizes: train every network of the targets at these sizes, instead of its published ones.
        names: keep these rows only; without a mark, a name stands for all its sizes.

    Raises:
        UserError: for a name that is not among them.
    """
    rows = [make_row(label) for target in targets for label in TARGETS[target] if trainable(label)]
    if sizes:
        rows = [make_row(row.name, size) for row in rows for size in sizes]
    rows = list(dict.fromkeys(rows))
    if not names:
        return rows
    kept = []
    for name in names:
        wanted, marked = make_row(name), MARK.search(name)
        found = [row for row in rows if row == wanted or (row.name == wanted.name and not marked)]
        if not found:
            raise UserError(f'--rows {name}: is not in {", ".join(targets)}; choose from '
                            f'{", ".join(row.label for row in rows)}')
        kept += found
    return [row for row in rows if row in kept]


def published(label: str, target: str = 'table3') -> Figures:
    """Returns what the paper prints of a row in a target's table, or else in another one."""
    tables = {'table2': TABLE_2, 'table3': TABLE_3, 'table4': TABLE_4}
    for table in (tables.get(target, {}), *tables.values()):
        if label in table:
            return table[label]
    return Figures()
