"""scripts/reproduce.py as a person runs it, on small generated data."""

import csv
import json
import os
import runpy
import shutil
import signal
import time

import pytest

from mmnet import checkpoints
from mmnet.reproduction import runs
from tests.helpers import ROOT, SMALL, run, start, write_split

pytestmark = pytest.mark.slow

# The program gives the size, the width and the seed itself.
TRAIN_FLAGS = ['--', '--batch_size', 4, *SMALL[SMALL.index('--save_summary_steps'):
                                               SMALL.index('--seed')], '--stock_gradients']


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('reproduce')
    for name, seed in (('one', 0), ('two', 5)):
        write_split(root / name, 'train', 10, seed)
        write_split(root / name, 'test', 3, seed + 1)
    return root


def reproduce(data, *args, begin=run):
    return begin('scripts/reproduce.py', *args[:1], '--dataset_path', data / 'one', data / 'two',
                 '--output_dir', data / 'out', '--image_size', 32, '--max_steps', 3, *args[1:],
                 *TRAIN_FLAGS)


@pytest.mark.xdist_group('reproduce')
def test_a_table_from_nothing_to_claims(data):
    table = ['table3', '--rows', 'MMNet-1.0Q', 'MMNet-1.0']
    status, out, err = reproduce(data, 'table4', '--rows', 'MMNet-1.0', '--dry_run')
    assert status == 0, err
    commands = [line for line in out.split('\n') if line.startswith('.venv/bin/python ')]
    assert sum('train.py' in line for line in commands) == 1 and 's per step' in out
    assert not (data / 'out').exists()

    process = reproduce(data, *table, begin=start)
    train_dir = data / 'out' / 'runs' / 'mmnet-1.00_32_seed1'
    while not (train_dir / 'hparams.json').exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 143 and 'Traceback' not in err

    status, out, err = reproduce(data, *table)
    assert status == 0, err
    assert out.count('== 2/2') == 1
    with open(str(data / 'out' / 'results.json')) as file:
        whole, eight = sorted(json.load(file), key=lambda record: record['row'])
    assert whole['row'] == 'MMNet-1.00@32' and eight['row'] == 'MMNet-1.00Q@32'
    assert whole['parameters'] == 199420 and whole['steps'] == 3 and eight['steps'] == 1
    assert set(whole['metrics']['sets']) == {'one', 'two'} and whole['metrics']['images'] == 6
    for name in ('sad', 'mse', 'mad', 'grad', 'conn', 'sad_band', 'mse_band', 'gradient_error',
                 'iou'):
        assert whole['metrics'][name] is not None and whole['conventions'][name]
    assert whole['train_data']['one']['pairs'] == 10 and whole['seconds'] > 0
    assert eight['file']['precision'] == 'int8' and eight['metrics_of_file']['images'] == 6
    for record in (whole, eight):
        assert set(record['latency']) == {'litert', 'tensorflow'} and record['commits']
    with open(str(data / 'out' / 'table3.csv')) as file:
        rows = {row['row']: row for row in csv.DictReader(file)}
    assert float(rows['MMNet-1.00@32']['litert_ms_median']) > 0
    table_text = (data / 'out' / 'table3.md').read_text()
    assert '## two' in table_text and '| MMNet-1.00@32 | 1 |' in table_text
    assert 'loses nothing by 8 bits' in (data / 'out' / 'claims.md').read_text() and '| ' in out

    # Nothing is done twice, and another setting is not mixed in.
    before = checkpoints.listed(str(train_dir))
    status, out, err = reproduce(data, *table)
    assert status == 0 and '==' not in out and checkpoints.listed(str(train_dir)) == before
    status, out, err = reproduce(data, *table, '--test_path', data / 'one', '--dry_run')
    assert status == 0 and 'train.py' in out and 's per step' not in out, err
    status, _, err = run('scripts/reproduce.py', 'table3', '--dataset_path', data / 'one',
                         '--output_dir', data / 'out', '--image_size', 32, '--max_steps', 3,
                         '--rows', 'MMNet-1.0', *TRAIN_FLAGS)
    assert status == 1 and 'other train data' in err and err.count('\n') == 1


@pytest.mark.xdist_group('reproduce')
def test_figures_are_drawn(data):
    status, _, err = run(
        'scripts/reproduce.py', 'figure5', '--dataset_path', data / 'one', '--output_dir',
        data / 'figures', '--image_size', 32, '--rows', 'MMNet-1.0', '--max_steps', 1,
        '--no_latency',
        '--validation_fraction', 0.5, *TRAIN_FLAGS)
    assert status == 0, err
    assert (data / 'figures' / 'figure5.png').exists()
    run_dir = data / 'figures' / 'runs' / 'mmnet-1.00_32_seed1'
    assert (run_dir / 'eval_validation.jsonl').exists()
    with open(str(run_dir / 'best' / 'scores.json')) as file:
        assert json.load(file)['split'] == 'validation'
    assert os.path.exists(str(run_dir / 'float32.tflite'))


def test_a_row_is_timed_once_whichever_seeds_are_asked_for(tmp_path):
    for name in ('mmnet-1.00_128_seed1', 'mmnet-1.00_128_seed10', 'mmnet-1.00_128_seed2',
                 'md16-0.75_128_seed2', 'mmnet-1.00_128_seed1_old'):
        os.makedirs(str(tmp_path / 'runs' / name))
        (tmp_path / 'runs' / name / 'float32.tflite').write_bytes(b'')
    chosen = runpy.run_path(os.path.join(ROOT, 'scripts', 'reproduce.py'))['files_to_time'](
        str(tmp_path))
    assert [os.path.basename(os.path.dirname(path)) for path in chosen] == [
        'md16-0.75_128_seed2', 'mmnet-1.00_128_seed1']


def test_a_value_is_not_taken_for_a_row_s_flag(tmp_path):
    program = runpy.run_path(os.path.join(ROOT, 'scripts', 'reproduce.py'))
    args, train_flags = program['parse'](
        ['table3', '--dataset_path', 'd', '--output_dir', str(tmp_path), '--rows', 'MD16-0.75*',
         '--', '--batch_size=16', '--save_summary_steps', '8', '--cache_dir=' + str(tmp_path)])
    setup = runs.Setup(ROOT, str(tmp_path), ('d',), ('d',), 10, tuple(train_flags))
    wanted, = program['wanted_runs'](args, ['table3'], setup)
    program['check_flags']([wanted], setup)
    assert wanted.made_with()['flags'][-2:] == ['--batch_size', '16']


@pytest.mark.parametrize('args, named', [
    (['table9'], 'table9'), (['table4', '--rows', 'MMNet-0.5'], 'not in table4'),
    (['table4', '--rows', 'UNet'], '--rows UNet'), (['table4', '--image_size', 0], '0'),
    (['table4', '--', '--train_dir', 'x'], '--train_dir: is given'),
    (['table4', '--', '--learning_rate', '-1'], '--learning_rate'),
    (['table4', '--', '--soc_weight', '1'], 'soc_weight'),
    (['losses', '--', '--gradient_loss_weight=2'], 'makes the row No gradient loss'),
    (['figure1', '--no_latency'], '--no_latency: figure1 shows latencies')])
def test_bad_input_is_named_before_anything_is_trained(data, args, named):
    status, _, err = run('scripts/reproduce.py', args[0], '--dataset_path', data / 'one',
                         '--output_dir', data / 'new', *args[1:])
    assert status in (1, 2) and named in err and err.count('\n') == 1, err
    assert not (data / 'new').exists()


def test_a_damaged_test_photo_is_named_before_anything_is_trained(data, tmp_path):
    shutil.copytree(str(data / 'one'), str(tmp_path / 'one'))
    path = tmp_path / 'one' / 'test' / 'image' / '001.jpg'
    path.write_bytes(path.read_bytes()[:-200])
    status, _, err = run('scripts/reproduce.py', 'table4', '--dataset_path', tmp_path / 'one',
                         '--output_dir', tmp_path / 'new', '--no_latency')
    assert status == 1 and '001.jpg: cannot be decoded' in err
    assert not (tmp_path / 'new').exists()


def test_a_folder_of_other_files_is_refused(data, tmp_path):
    # TensorBoard's folders are often called runs.
    (tmp_path / 'runs' / 'monday').mkdir(parents=True)
    (tmp_path / 'runs' / 'monday' / 'events').write_text('somebody\'s')
    for folder in (data, tmp_path):
        status, _, err = run('scripts/reproduce.py', 'table4', '--dataset_path', data / 'one',
                             '--output_dir', folder, '--no_latency')
        assert status == 1 and 'holds other files; name another folder' in err
        assert err.count('\n') == 1 and not (folder / 'results.json').exists()
