"""The paper's rows: flags, labels, and agreement with the scripts of the rows."""

import os
import re

import pytest

from mmnet import flags
from mmnet.errors import UserError
from mmnet.reproduction import paper
from tests.helpers import ROOT, count_parameters


def test_labels_and_sizes(monkeypatch):
    assert paper.make_row('MMNet-1.0*') == paper.make_row('MMNet-1.00', 128)
    monkeypatch.setitem(paper.NETWORKS, 'MMNet-0.125', ())
    assert paper.make_row('MMNet-0.125').name == 'MMNet-0.125'
    assert paper.make_row('mmnet-1.40').image_size == 256
    assert paper.make_row('MD16-0.75', 192).label == 'MD16-0.75@192'
    assert paper.make_row('MD16-0.75@192') == paper.make_row('MD16-0.75', 192)
    assert paper.make_row('MMNet-1.0Q*').float_row == 'MMNet-1.00'
    with pytest.raises(UserError, match='--rows DAPM'):
        paper.make_row('DAPM')


def test_rows_of_a_target():
    assert [row.label for row in paper.rows_of(['table4'])] == list(paper.TABLE_4)
    assert len(paper.rows_of(['table2'])) == 6
    at_128 = [row.label for row in paper.rows_of(['table3'], [128])]
    assert len(at_128) == len(set(at_128)) == 11 and all(each.endswith('*') for each in at_128)
    assert [row.label for row in paper.rows_of(['table3'], [128, 64], ['MMNet-1.0'])] == [
        'MMNet-1.00*', 'MMNet-1.00@64']
    assert [row.label for row in paper.rows_of(['table3'], names=['MMNet-1.0*'])] == ['MMNet-1.00*']
    assert [row.label for row in paper.rows_of(['table3'], names=['MD16-0.75'])] == [
        'MD16-0.75', 'MD16-0.75*']
    # A name may belong to one of several targets only.
    assert [row.label for row in paper.rows_of(['table3', 'losses'], names=['No kl loss'])] == [
        'No kl loss']
    with pytest.raises(UserError, match='MMNet-1.40.*not in table4'):
        paper.rows_of(['table4'], names=['MMNet-1.40'])


def parsed(row):
    """The flags of a row as train.py understands them."""
    return flags.train_parser().parse_args(
        ['--dataset_path', 'data', '--train_dir', 'run', *row.flags])


@pytest.mark.parametrize('name', ['MMNet-0.50', 'MMNet-1.40', 'MD16-0.75', 'MD8-0.50'])
def test_a_row_has_the_published_number_of_parameters(name):
    args = parsed(paper.make_row(name))
    millions, = {figures.parameters for label, figures in paper.TABLE_3.items()
                 if label.rstrip('*') == name}
    count = count_parameters(args.model, 64, width_multiplier=args.width_multiplier)
    assert count / 1e6 == pytest.approx(millions, abs=5e-4)


def test_flags_of_all_rows_are_known():
    for name, given in paper.NETWORKS.items():
        args = parsed(paper.make_row(name))
        assert args.model == given[1], name
    assert parsed(paper.make_row('No kl loss')).kl_loss_weight == 0
    assert parsed(paper.make_row('No dilation')).dilation is False


def test_the_parts_are_those_of_the_recipe_s_script():
    with open(os.path.join(ROOT, 'scripts', 'train_recipe.sh')) as file:
        text = file.read().replace('"${places[@]}"', 'data')
    # What all trainings share, and what is added from scratch.
    shared = ' '.join(text.split(start)[1].split(')')[0] for start in ('recipe=(', 'recipe+=('))
    script = flags.train_parser().parse_args([*shared.split(), '--train_dir', 'run'])
    together = parsed(paper.make_row('With all parts'))
    for name in ('backgrounds', 'background_probability', 'framing', 'zoom_out', 'augmentation',
                 'learning_rate_schedule'):
        assert getattr(together, name) == getattr(script, name) is not None
    alone = [parsed(paper.make_row(f'With {part}')) for part in paper.PARTS]
    for name, value in vars(together).items():
        assert any(getattr(each, name) == value for each in alone), name


def test_the_scripts_of_the_rows_train_the_same_networks():
    """Each row of Table 3 has a script with the same flags."""
    found = set()
    for name in os.listdir(os.path.join(ROOT, 'scripts')):
        if not re.match(r'train_(mmnet|deeplab)_', name):
            continue
        with open(os.path.join(ROOT, 'scripts', name)) as file:
            command = file.read().split('train.py')[-1].replace('\\\n', ' ').split(' -- ')[0]
        args = flags.train_parser().parse_args(
            ['--dataset_path', 'data', '--train_dir', 'run', *command.split()])
        found.add((args.model, args.image_size, args.width_multiplier, args.output_stride,
                   args.quantize))
    for label in {**paper.TABLE_3, **paper.TABLE_5}:
        row = paper.make_row(label)
        args = parsed(row)
        assert (args.model, row.image_size, args.width_multiplier, args.output_stride,
                row.float_row is not None) in found, label
