"""Runs: their commands, what they share, and when they are done."""

import json
import os

import pytest

from mmnet import files
from mmnet.data import pairs
from mmnet.errors import UserError
from mmnet.reproduction import runs
from mmnet.reproduction.paper import make_row
from tests.helpers import write_split

SETUP = runs.Setup('/root', 'out', ('a', 'b'), ('t',), 3000, ('--batch_size', '8'))


def test_commands_of_a_float_run():
    run = runs.Run(make_row('MMNet-1.0*'), 2, SETUP)
    train, evaluate, export = [' '.join(command) for command in run.commands()]
    assert train == ('train.py --model mmnet --width_multiplier 1.00 --image_size 128 '
                     '--dataset_path a b --train_dir out/runs/mmnet-1.00_128_seed2 --seed 2 '
                     '--max_steps 3000 --batch_size 8')
    assert evaluate.startswith('evaluate.py --dataset_path t --metrics all --checkpoint_path '
                               'out/runs/mmnet-1.00_128_seed2 --json')
    assert '--precision float32' in export


def test_a_start_from_a_published_network_is_part_of_what_a_run_was_made_with():
    given = runs.Run(make_row('With pretraining'), 1, SETUP).made_with()['flags']
    assert 'pretrained:mmnet_dm1.0_256' in given
    given = runs.Run(make_row('MMNet-1.0Q*'), 1, SETUP).made_with()['flags']
    assert '--quantize' in given and '--init_checkpoint' not in given


def test_8_bits_go_on_from_the_float_row():
    run = runs.Run(make_row('MMNet-1.0Q*'), 1, SETUP)
    train, _, export, evaluate_file = [' '.join(command) for command in run.commands()]
    assert '--max_steps 1000' in train and '--quantize' in train
    assert train.endswith('--init_checkpoint out/runs/mmnet-1.00_128_seed1')
    assert '--precision int8' in export and '--tflite_path' in evaluate_file
    ordered = runs.with_float_rows([run, runs.Run(make_row('MMNet-1.0*'), 1, SETUP)])
    assert [each.row.label for each in ordered] == ['MMNet-1.00*', 'MMNet-1.00Q*']


def test_held_out_photos_choose_the_checkpoint():
    setup = runs.Setup('/root', 'out', ('a',), ('t',), 100, (), 0.2)
    run = runs.Run(make_row('MD16-0.75'), 1, setup)
    train, choose, evaluate, export = [' '.join(command) for command in run.commands()]
    assert '--validation_fraction 0.2 --save_checkpoints_steps 10' in train
    assert '--dataset_path a' in choose and '--validation --watch' in choose
    for command in (evaluate, export):
        assert '--checkpoint_path out/runs/md16-0.75_256_seed1/best' in command


def test_a_best_checkpoint_of_test_photos_is_refused(tmp_path):
    """Somebody looked at the test photos before the held-out ones, so they chose `best`."""
    setup = runs.Setup('/root', str(tmp_path), ('a',), ('t',), 100, (), 0.2)
    run = runs.Run(make_row('MD16-0.75'), 1, setup)
    files.make_directory(run.checkpoint_dir)
    files.write_json({'split': 'test', 'gradient_error': 0.1},
                     os.path.join(run.checkpoint_dir, 'scores.json'))
    with pytest.raises(UserError, match='best: was chosen on the test photos'):
        runs.make_record(run, {}, {})


def test_a_directory_of_something_else_is_refused(tmp_path):
    setup = runs.Setup('/root', str(tmp_path), ('a',), ('t',), 10)
    run = runs.Run(make_row('MMNet-1.0'), 1, setup)
    data = {'a': {'pairs': 5, 'fingerprint': 'x'}}
    runs.check(run, data)
    files.make_directory(run.directory)
    open(os.path.join(run.directory, 'notes.txt'), 'w').close()
    with pytest.raises(UserError, match='holds other files'):
        runs.check(run, data)
    files.write_json({**run.made_with(), 'train_data': data},
                     os.path.join(run.directory, runs.NOTE))
    runs.check(run, data)
    with pytest.raises(UserError, match='other train data'):
        runs.check(run, {'a': {'pairs': 6, 'fingerprint': 'y'}})
    other = runs.Setup('/root', str(tmp_path), ('a',), ('t',), 10, ('--learning_rate', '1'))
    with pytest.raises(UserError, match='other flags'):
        runs.check(runs.Run(run.row, 1, other), data)


def test_more_steps_go_on_and_fewer_are_refused(tmp_path, monkeypatch):
    setup = runs.Setup('/root', str(tmp_path), ('a',), ('t',), 10)
    run = runs.Run(make_row('MMNet-1.0'), 1, setup)
    files.make_directory(run.directory)
    files.write_json({**run.made_with(), 'train_data': {}}, os.path.join(run.directory, runs.NOTE))
    with open(os.path.join(run.directory, 'checkpoint'), 'w') as file:
        file.write('model_checkpoint_path: "model.ckpt-20"\n'
                   'all_model_checkpoint_paths: "model.ckpt-20"\n')
    assert run.trained_steps() == 20
    with pytest.raises(UserError, match='at step 20 already; raise --max_steps'):
        runs.check(run, {})


def test_a_run_is_finished_for_these_steps_and_photos(tmp_path):
    setup = runs.Setup('/root', str(tmp_path), ('a',), ('t',), 10)
    run = runs.Run(make_row('MMNet-1.0'), 1, setup)
    assert run.finished({}) is None
    files.make_directory(run.directory)
    files.write_json({'steps': 10, 'test_data': {}}, os.path.join(run.directory, runs.RESULT))
    assert run.finished({}) is None         # nothing was exported
    open(run.exported, 'w').close()
    assert run.finished({}) == {'steps': 10, 'test_data': {}}
    assert run.finished({'t': 1}) is None


def test_runs_of_other_steps_data_or_flags_are_not_compared():
    data, tests = {'a': {'pairs': 5}}, {'t': {'pairs': 2}}
    for label, steps in (('MMNet-1.0@32', 3000), ('MMNet-1.0Q@32', 1000)):
        run = runs.Run(make_row(label), 1, SETUP)
        record = {'row': run.row.label, 'image_size': 32, 'seed': 1, 'steps': steps,
                  **run.made_with(), 'train_data': data, 'test_data': tests}
        assert runs.comparable(record, SETUP, data, tests)
        for name, other in (('steps', 999), ('train_data', tests), ('test_data', data),
                            ('flags', record['flags'] + ['--l2_loss'])):
            assert not runs.comparable({**record, name: other}, SETUP, data, tests), name
        # Checkpoints and caches do not change weights.
        for flag in ('--save_checkpoints_steps', '--keep_checkpoint_max', '--cache_dir'):
            assert runs.comparable({**record, 'flags': record['flags'] + [flag, '9']}, SETUP, data,
                                   tests)
    assert not runs.comparable({**record, 'float_steps': 3001}, SETUP, data, tests)


def test_data_sets_with_weights_have_an_order(tmp_path):
    one, other = ({'a': {'pairs': 5}, 'b': {'pairs': 6}}, {'b': {'pairs': 6}, 'a': {'pairs': 5}})
    for flags, same in (((), True), (('--dataset_weights', '3', '1'), False)):
        setup = runs.Setup('/root', str(tmp_path / str(same)), ('a', 'b'), ('t',), 10, flags)
        run = runs.Run(make_row('MMNet-1.0'), 1, setup)
        record = {'row': run.row.label, 'image_size': 256, 'seed': 1, 'steps': 10,
                  **run.made_with(), 'train_data': one, 'test_data': {}}
        assert runs.comparable(record, setup, one, {})
        assert runs.comparable(record, setup, other, {}) == same
        files.make_directory(run.directory)
        files.write_json({**run.made_with(), 'train_data': one},
                         os.path.join(run.directory, runs.NOTE))
        runs.check(run, one)
        if not same:
            with pytest.raises(UserError, match='other train data'):
                runs.check(run, other)


def test_8_bits_of_another_float_network_are_refused(tmp_path):
    """A float row that was trained on leaves an 8-bit row with the old weights behind."""
    short, long = (runs.Setup('/root', str(tmp_path), ('a',), ('t',), steps) for steps in (30, 60))
    row = make_row('MMNet-1.0Q')
    run = runs.Run(row, 1, short)
    files.make_directory(run.directory)
    files.write_json({**run.made_with(), 'train_data': {}}, os.path.join(run.directory, runs.NOTE))
    runs.check(run, {})
    with pytest.raises(UserError, match='other float steps .30, now 60'):
        runs.check(runs.Run(row, 1, long), {})


def test_more_steps_are_no_other_flags():
    made = [runs.Run(make_row('MMNet-1.0'), 1, runs.Setup('/root', 'out', ('a',), ('t',), steps, (),
                                                          0.1)).made_with() for steps in (30, 60)]
    assert made[0] == made[1]


def test_fingerprints_tell_data_apart(tmp_path):
    for name, seed in (('a', 0), ('b', 1)):
        write_split(tmp_path / name, 'train', 3, seed)
    write_split(tmp_path / 'copy' / 'a', 'train', 3, 0)

    def describe(*paths):
        return pairs.describe(pairs.find_sets([str(path) for path in paths], 'train'))
    both = describe(tmp_path / 'a', tmp_path / 'b')
    assert both['a'] == describe(tmp_path / 'copy' / 'a')['a'] != both['b']
    assert both['a']['pairs'] == 3


def test_the_machine_and_the_commit_are_named(tmp_path):
    machine = runs.machine()
    assert json.dumps(machine) and machine['cores'] == os.cpu_count() and machine['processor']
    assert runs.commit_of(str(tmp_path)) == 'unknown'


def test_a_program_that_fails_is_named(tmp_path):
    (tmp_path / 'good.py').write_text('')
    (tmp_path / 'bad.py').write_text('raise SystemExit(3)')
    seconds = []
    runs.execute(str(tmp_path), ['good.py'], seconds.append)
    assert seconds and seconds[-1] > 0
    with pytest.raises(UserError, match='bad.py: failed'):
        runs.execute(str(tmp_path), ['bad.py'])


def test_the_time_of_a_step_is_the_batch_over_the_speed(tmp_path):
    program = tmp_path / 'train.py'
    program.write_text('print("step 10/10  loss 0.5  2.00 steps/s  16.0 images/s  00:00 left")')
    run = runs.Run(make_row('MMNet-1.0*'), 1, runs.Setup(
        str(tmp_path), 'out', ('a',), ('t',), 3000, ('--batch_size', '8')))
    assert runs.time_step(run) == 0.5
    program.write_text('raise SystemExit("the disk is full")')
    with pytest.raises(UserError, match=r'failed for MMNet-1.00\*, seed 1: the disk is full'):
        runs.time_step(run)


def test_ctrl_c_in_a_program_ends_the_reproduction(tmp_path):
    (tmp_path / 'stopped.py').write_text('raise SystemExit(130)')
    with pytest.raises(KeyboardInterrupt):
        runs.execute(str(tmp_path), ['stopped.py'])
