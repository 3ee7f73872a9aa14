"""Declares settings: one dataclass field holds a setting's type, default, bounds and help.

    @dataclasses.dataclass(frozen=True)
    class Blur(Settings):
        radius: int = setting(3, 'pixels that are averaged', above=0)

`Blur(radius=0)` raises ValueError. `train.py` makes a flag of every field (`mmnet.flags`), and
`hparams.json` stores its value (`mmnet.hparams`).
"""

import dataclasses
import typing
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar, cast

AnySettings = TypeVar('AnySettings', bound='Settings')
_NONE = type(None)


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The range of a number.

    It lies above `above` or is at least `minimum`; it lies below `below` or is at most `maximum`.
    """
    above: Optional[float] = None
    minimum: Optional[float] = None
    below: Optional[float] = None
    maximum: Optional[float] = None

    def __contains__(self, value: float) -> bool:
        """Whether a number lies within; infinity and NaN never do."""
        return (float('-inf') < value < float('inf') and
                (self.above is None or value > self.above) and
                (self.minimum is None or value >= self.minimum) and
                (self.below is None or value < self.below) and
                (self.maximum is None or value <= self.maximum))

    def __str__(self) -> str:
        parts = [f'{word} {limit}' for word, limit in (
            ('above', self.above), ('at least', self.minimum), ('below', self.below),
            ('at most', self.maximum))
            if limit is not None]
        return ' and '.join(parts) or 'of any size'


def describe_number(kind: type, bounds: Bounds) -> str:
    """Says which numbers are allowed, for example "a whole number above 0"."""
    return f'{"a whole number" if kind is int else "a number"} {bounds}'


@dataclasses.dataclass(frozen=True)
class Setting:
    """A declared setting.

    Attributes:
        name: of the field and, with dashes before it, of the flag.
        kind: bool, int, float or str.
        default: the published value; None if the setting is off unless it is given.
        help: what the flag does. The flag of a boolean that is on by default is `--no_NAME`.
        bounds: of a number.
        choices: the allowed values, or () if there is no list of them.
        training_only: whether the setting affects training but not the trained network. It may
            change within a train directory.
    """
    name: str
    kind: type
    default: Any
    help: str
    bounds: Bounds
    choices: Tuple = ()
    training_only: bool = False

    def check(self, value: Any) -> None:
        """Raises ValueError, naming the setting, for a value that is not allowed."""
        if value is None and self.default is None:
            return
        if self.kind is bool:
            allowed, wanted = isinstance(value, bool), 'true or false'
        elif self.kind is str:
            allowed, wanted = isinstance(value, str), 'text'
        else:
            allowed = (isinstance(value, (int, self.kind)) and not isinstance(value, bool) and
                       cast(float, value) in self.bounds)
            wanted = describe_number(self.kind, self.bounds)
        if allowed and self.choices and value not in self.choices:
            allowed, wanted = False, ' or '.join(map(str, self.choices))
        if not allowed:
            raise ValueError(f'{self.name} {value} is not {wanted}')


def setting(default: Any, help: str, *, above: Optional[float] = None,
            minimum: Optional[float] = None, below: Optional[float] = None,
            maximum: Optional[float] = None, choices: Sequence = (),
            training_only: bool = False) -> Any:
    """Declares a field of a `Settings` class; see `Setting` for the arguments."""
    declaration = {'help': help, 'bounds': Bounds(above, minimum, below, maximum),
                   'choices': tuple(choices), 'training_only': training_only}
    return dataclasses.field(default=default, metadata={'declaration': declaration})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of the classes that declare settings.

    Raises:
        ValueError: for a value that its declaration does not allow.
    """

    def __post_init__(self) -> None:
        for name, declared in declared_settings(type(self)).items():
            declared.check(getattr(self, name))


def declared_settings(cls: Type[Settings]) -> Dict[str, Setting]:
    """Returns the declared settings of a class by name, in their order."""
    hints = typing.get_type_hints(cls)
    return {field.name: Setting(field.name, _kind(hints[field.name]), field.default,
                                **field.metadata['declaration'])
            for field in dataclasses.fields(cls) if 'declaration' in field.metadata}


def training_only_names(cls: Type[Settings]) -> List[str]:
    """Lists the settings of a class that do not affect the trained network."""
    return [name for name, each in declared_settings(cls).items() if each.training_only]


def make(cls: Type[AnySettings], values: Mapping[str, Any], owner: str) -> AnySettings:
    """Makes settings from values by name; missing ones and None become the default.

    Args:
        cls: a class of settings.
        values: by name.
        owner: whose settings these are, for messages.

    Raises:
        ValueError: for an unknown name or a value that is not allowed.
    """
    known = {field.name for field in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{owner} has no setting {", ".join(unknown)}; '
                         f'it has {", ".join(sorted(known))}')
    return cls(**{name: value for name, value in values.items() if value is not None})


def _kind(hint: Any) -> type:
    """Returns the type behind an annotation: `int` for `int` and for `Optional[int]`."""
    return next(kind for kind in getattr(hint, '__args__', (hint,)) if kind is not _NONE)
