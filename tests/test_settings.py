"""Declarations of settings and what they allow."""

import dataclasses
from typing import Optional

import pytest

from mmnet.settings import Settings, declared_settings, make, setting


@dataclasses.dataclass(frozen=True)
class Blur(Settings):
    path: str
    radius: int = setting(3, 'pixels that are averaged', above=0)
    strength: float = setting(0.5, 'share of the blurred picture', minimum=0, below=1)
    kind: str = setting('box', 'shape of the window', choices=('box', 'disk'))
    wrap: bool = setting(False, 'goes on at the other side')
    seed: Optional[int] = setting(None, 'of its noise', minimum=0, training_only=True)


def test_a_declaration_holds_everything():
    declared = declared_settings(Blur)
    assert list(declared) == ['radius', 'strength', 'kind', 'wrap', 'seed']
    assert [each.kind for each in declared.values()] == [int, float, str, bool, int]
    assert declared['radius'].default == 3 and declared['radius'].help.startswith('pixels')
    assert declared['kind'].choices == ('box', 'disk')
    assert [name for name, each in declared.items() if each.training_only] == ['seed']


@pytest.mark.parametrize('values', [
    {'radius': 1}, {'strength': 0}, {'strength': 0.99}, {'kind': 'disk'}, {'wrap': True},
    {'seed': 0}, {'seed': None}])
def test_allowed_values(values):
    assert getattr(Blur('x', **values), list(values)[0]) == list(values.values())[0]


@pytest.mark.parametrize('values, said', [
    ({'radius': 0}, 'radius 0 is not a whole number above 0'),
    ({'radius': 1.5}, 'radius 1.5'), ({'radius': True}, 'radius True'),
    ({'radius': '3'}, 'radius 3 is not a whole number'), ({'radius': None}, 'radius None'),
    ({'strength': 1.0}, 'strength 1.0 is not a number at least 0 and below 1'),
    ({'strength': float('nan')}, 'strength nan'), ({'kind': 'star'}, 'kind star is not box or'),
    ({'kind': 3}, 'kind 3 is not text'), ({'wrap': 1}, 'wrap 1 is not true or false'),
    ({'seed': -1}, 'seed -1')])
def test_other_values_are_named(values, said):
    with pytest.raises(ValueError, match=said):
        Blur('x', **values)


def test_values_by_name():
    assert make(Blur, {'path': 'x', 'radius': None, 'wrap': True}, 'blur') == Blur('x', wrap=True)
    with pytest.raises(ValueError, match='blur has no setting size; it has kind, path, radius'):
        make(Blur, {'path': 'x', 'size': 3}, 'blur')
