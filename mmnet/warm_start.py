"""Starts a network from the weights of another checkpoint, wherever names and shapes match."""

import dataclasses
import os
import re
from typing import Dict, List, Mapping, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from mmnet import checkpoints, pretrained
from mmnet.errors import UserError
from mmnet.graph import FROZEN, build_network
from mmnet.hparams import HParams, read


def restore_matching(checkpoint: str) -> None:
    """Initializes the model variables that a checkpoint has with the same name and shape.

    A frozen copy starts from the same values as the network. Where a variable has a moving
    average, that is restored. Weights for a further input channel, which a memory needs, begin at
    zero. Prints what was restored.

    Raises:
        UserError: for a checkpoint that cannot be read or fits nothing.
    """
    match = match_variables(checkpoint)
    ours = {variable.op.name: variable for variable in tf.model_variables()}
    for frozen in (False, True):
        tf.train.init_from_checkpoint(match.checkpoint, {
            match.theirs[name]: ours[name] for name in match.same
            if name.startswith(FROZEN + '/') == frozen})
    reader = tf.train.load_checkpoint(match.checkpoint)
    for name in match.widened:
        value = reader.get_tensor(match.theirs[name])
        value = np.pad(value, [(0, 0), (0, 0), (0, 1), (0, 0)], mode='constant')
        # As init_from_checkpoint does; a moving average starts from the initial value.
        ours[name]._initial_value = tf.constant(value)
        ours[name]._initializer_op = ours[name].assign(ours[name]._initial_value)
    restored = {*match.same, *match.widened}
    print(f'restored {len(restored)} of {len(ours)} variables from {match.checkpoint}')
    for name in sorted({*ours} - restored):
        why = (f'has shape {match.shapes[match.theirs[name]]} there'
               if match.theirs[name] in match.shapes else 'is not there')
        print(f'  not restored: {name} {why}')


def check_start(hparams: HParams) -> None:
    """Makes sure that a network can start from its --init_checkpoint, before photos are read.

    Raises:
        UserError: see `match_variables`; also for a damaged checkpoint.
    """
    assert hparams.training.init_checkpoint
    size = hparams.image_size
    with tf.Graph().as_default():
        # Rounding takes seconds to build, and leaves the names of the weights as they are.
        build_network(tf.placeholder(tf.float32, [1, size, size, hparams.channels]),
                      dataclasses.replace(hparams, quantization=None), is_training=False)
        match = match_variables(hparams.training.init_checkpoint)
    if not checkpoints.is_whole(match.checkpoint):
        raise UserError(f'--init_checkpoint {match.checkpoint}: is damaged; copy it again, or name '
                        f'an older one')


def keep_start(hparams: HParams, train_dir: str) -> HParams:
    """Keeps the --init_checkpoint that a resumed run started from, which is not read again.

    Raises:
        UserError: for another one.
    """
    given, before = (each.training.init_checkpoint for each in (hparams, read(train_dir)))
    if given and _is_other_start(given, before):
        raise UserError(f'--init_checkpoint {given}: is read at the start only, and the run in '
                        f'{train_dir} started from {before or "random weights"}; choose another '
                        f'directory')
    return dataclasses.replace(hparams, training=dataclasses.replace(
        hparams.training, init_checkpoint=before))


def _is_other_start(given: str, before: Optional[str]) -> bool:
    """Returns whether an --init_checkpoint differs from an earlier one, which may have moved."""
    if before is None or before.startswith(pretrained.PREFIX):
        return given != before
    there = os.path.exists(before) or checkpoints.exists(before)
    return there and os.path.realpath(given) != os.path.realpath(before)


class Match(NamedTuple):
    """The model variables that a graph and a checkpoint share.

    Attributes:
        checkpoint: its path.
        shapes: of its variables, by name.
        theirs: the name there of each model variable.
        same: model variables that the checkpoint has with the same shape.
        widened: those that it has without the channel of a memory.
    """
    checkpoint: str
    shapes: Dict[str, List[int]]
    theirs: Dict[str, str]
    same: List[str]
    widened: List[str]


def match_variables(checkpoint: str) -> Match:
    """Matches the model variables of the current graph with those of a checkpoint.

    Raises:
        UserError: for a checkpoint that cannot be read or fits nothing.
    """
    path = _path_of(checkpoint)
    shapes = _variables_of(path)
    ours = {variable.op.name: variable.shape.as_list() for variable in tf.model_variables()}
    theirs = {name: _source_of(name, shapes) for name in ours}
    same = [name for name in ours if shapes.get(theirs[name]) == ours[name]]
    if not same:
        raise UserError(f'--init_checkpoint {checkpoint}: none of its {len(shapes)} variables has '
                        f'a name and shape of this network; check --model and --width_multiplier')
    widened = [name for name in ours if theirs[name] in shapes and
               shapes[theirs[name]] == _without_memory(ours[name])]
    return Match(path, shapes, theirs, same, widened)


def _path_of(checkpoint: str) -> str:
    """Returns the path of the checkpoint that an --init_checkpoint names.

    Raises:
        UserError: for a directory without checkpoints, and a name that TensorFlow cannot read.
    """
    path = pretrained.find(checkpoint)
    checkpoints.check_name(path, f'--init_checkpoint {checkpoint}')
    return checkpoints.resolve(path, '--init_checkpoint') if os.path.isdir(path) else path


def _variables_of(path: str) -> Dict[str, List[int]]:
    """Reads the shapes of a checkpoint's variables, by name.

    Raises:
        UserError: for a checkpoint that cannot be read.
    """
    try:
        return dict(tf.train.list_variables(path))
    except (tf.errors.OpError, ValueError):
        raise UserError(f'--init_checkpoint {path}: cannot be read as a checkpoint; give its '
                        f'path without .index or .data, or its directory')


def _source_of(name: str, shapes: Mapping[str, List[int]]) -> str:
    """Returns the name of a checkpoint's variable that one of the network starts from."""
    name = re.sub(f'^{FROZEN}/', '', name)
    average = name + checkpoints.AVERAGE
    return average if average in shapes else name


def _without_memory(shape: List[int]) -> Optional[List[int]]:
    """Returns the shape of the first convolution's weights in a network that takes RGB alone."""
    return [*shape[:2], 3, shape[3]] if len(shape) == 4 and shape[2] == 4 else None
