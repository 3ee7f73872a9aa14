"""train.py and evaluate.py as a person runs them."""

import dataclasses
import importlib
import json
import os
import random
import shutil
import signal
import time

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mmnet import (checkpoints, files, graph, hparams, losses, models, records, scores,
                   watching)
from mmnet.data import decode
from mmnet.data.pairs import find_pairs, find_sets, hold_out
from tests.helpers import (SMALL, evaluate, folder, records_of, run, start, train,
                           write_split)

pytestmark = pytest.mark.slow


def saved_steps(train_dir):
    return [checkpoints.step_of(path) for path in checkpoints.listed(str(train_dir))]


def events(directory):
    """Tag to steps, and the session logs' steps, of all event files of a directory."""
    tags, starts = {}, []
    for name in sorted(os.listdir(str(directory))):
        if 'tfevents' not in name:
            continue
        try:
            for event in tf.train.summary_iterator(str(directory / name)):
                for value in event.summary.value:
                    tags.setdefault(value.tag, []).append(event.step)
                if event.session_log.status == tf.SessionLog.START:
                    starts.append(event.step)
        except tf.errors.DataLossError:
            pass  # the last record of a run that was killed
    return tags, starts


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A dataset and a train directory with checkpoints 0, 4, 8, shared by the tests that read."""
    root = tmp_path_factory.mktemp('trained')
    write_split(root / 'dataset', 'train', 10)
    dataset = write_split(root / 'dataset', 'test', 5, seed=1)
    status, out, err = train(dataset, root / 'run', '--max_steps', 8,
                             '--save_checkpoints_steps', 4)
    assert status == 0, err
    return dataset, root / 'run', out


def test_training_leaves_checkpoints_hparams_and_summaries(trained):
    _, run_dir, out = trained
    assert 'step 8/8' in out and 'images/s' in out
    assert saved_steps(run_dir) == [0, 4, 8]
    with open(str(run_dir / 'hparams.json')) as file:
        content = json.load(file)
    assert content['model'] == 'mmnet' and content['image_size'] == 32
    assert content['network'] == {'width_multiplier': 0.5, 'dilation': True, 'enhancement': True,
                                  'refinement': True}
    tags, _ = events(run_dir)
    for tag in ('loss/alpha', 'loss/compositional', 'loss/kl', 'loss/gradient', 'loss/auxiliary',
                'loss/total', 'learning_rate', 'images_per_second'):
        assert tags[tag][-1] >= 6, tag
    assert 'examples/image' in tags
    event_file, = run_dir.glob('events.*')
    drawn = [each.graph_def for each in tf.train.summary_iterator(str(event_file))
             if each.HasField('graph_def')][-1]
    nodes = {node.name for node in tf.GraphDef.FromString(drawn).node}
    assert 'MMNet/initial/weights' in nodes, 'for TensorBoard'


def test_a_finished_training_is_left_alone(trained):
    dataset, run_dir, _ = trained
    status, out, _ = train(dataset, run_dir, '--max_steps', 8)
    assert status == 0 and 'already at step 8' in out


def test_a_train_directory_of_another_network_is_refused(trained):
    dataset, run_dir, _ = trained
    status, _, err = train(dataset, run_dir, '--no_dilation')
    assert status == 1 and 'dilation True' in err and err.count('\n') == 1


@pytest.mark.parametrize('batch_size', [2, 32])
def test_every_image_counts_once_whatever_the_batch_size(trained, batch_size):
    """The record against numbers computed here, image by image, from the restored network."""
    dataset, run_dir, _ = trained
    status, out, err = evaluate(dataset, run_dir, '--batch_size', batch_size)
    assert status == 0, err
    record, = [each for each in records_of(run_dir) if each['global_step'] == 8]
    assert record['images'] == 5 and record['parameters'] == 68996
    assert 'gradient error' in out and '68,996' in out

    pairs = [(f'{dataset}/test/image/{i:03}.jpg',
              f'{dataset}/test/mask/{i:03}.png') for i in range(5)]
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, 32, 32, 3])
        logits, _ = graph.build_network(images, hparams.read(str(run_dir)), is_training=False)
        alpha = losses.foreground_alpha(logits)
        tf.train.Saver(tf.model_variables()).restore(session, str(run_dir / 'model.ckpt-8'))
        mads = []
        for image, mask in pairs:
            small = session.run(alpha, {images: decode.read_image(image, 32)[None] / 255})[0]
            truth = decode.read_mask(mask) / 255
            full = Image.fromarray(small[..., 0]).resize(truth.shape[::-1], Image.BILINEAR)
            mads.append(np.abs(np.asarray(full) - truth).mean())
    assert record['mad'] == pytest.approx(np.mean(mads), rel=1e-4)


def test_one_checkpoint_and_the_best(trained):
    dataset, run_dir, _ = trained
    status, out, err = evaluate(dataset, run_dir / 'model.ckpt-4')
    assert status == 0, err
    assert 'step 4 ' in out
    assert {record['global_step'] for record in records_of(run_dir)} >= {4}
    scores = json.loads((run_dir / 'best' / 'scores.json').read_text())
    best = min((record for record in records_of(run_dir) if record['global_step']),
               key=lambda record: record['gradient_error'])
    assert scores['global_step'] == best['global_step']
    # It can be evaluated like any train directory.
    status, out, err = evaluate(dataset, run_dir / 'best')
    assert status == 0, err
    assert f"step {best['global_step']} " in out
    assert not (run_dir / 'best' / 'best').exists()
    tags, _ = events(run_dir / 'eval_test')
    assert {'gradient_error', 'mad', 'mean_iou', 'loss/total', 'loss/alpha'} <= set(tags)
    assert 'examples/image' in tags


def test_watching_evaluates_every_checkpoint_once_and_names_deleted_ones(trained, tmp_path):
    dataset, run_dir, _ = trained
    copy = tmp_path / 'run'
    shutil.copytree(str(run_dir), str(copy))
    for name in ('eval_test', 'best'):
        shutil.rmtree(str(copy / name), ignore_errors=True)
    if (copy / 'eval_test.jsonl').exists():
        (copy / 'eval_test.jsonl').unlink()
    for path in copy.glob('model.ckpt-4.*'):
        path.unlink()
    state = (copy / 'checkpoint').read_text()
    (copy / 'checkpoint').write_text(state.replace(str(run_dir), str(copy)))
    status, out, err = evaluate(dataset, copy, '--watch')
    assert status == 0, err
    assert [record['global_step'] for record in records_of(copy)] == [0, 8]
    assert 'model.ckpt-4: deleted by training before' in err
    # A second look finds nothing to do.
    status, out, err = evaluate(dataset, copy, '--watch')
    assert status == 0 and out.count('step 8') == 0
    status, _, err = evaluate(dataset, copy, '--watch', '--max_steps', 100, '--timeout', 1)
    assert status == 0 and len(records_of(copy)) == 2
    # That the last one is evaluated does not mean that all are.
    records.write_record(records.path_of(str(tmp_path), 'test'), records_of(copy)[1])
    shutil.move(str(tmp_path / 'eval_test.jsonl'), str(copy / 'eval_test.jsonl'))
    status, _, err = evaluate(dataset, copy, '--watch')
    assert status == 0 and [record['global_step'] for record in records_of(copy)] == [0, 8]
    # Figures of other photos cannot be compared with these.
    other, before = tmp_path / 'other', records_of(copy)
    write_split(other, 'test', 2, 9)
    status, _, err = evaluate(other, copy, '--watch')
    assert status == 1
    assert 'eval_test.jsonl: holds results for other photos; move it and best/ away' in err
    status, out, err = evaluate(other, copy)
    assert status == 0 and 'step 8 ' in out and 'holds results for other photos, so these' in err
    assert records_of(copy) == before


def test_watching_waits_for_training_and_follows_it(dataset, tmp_path):
    run_dir = tmp_path / 'run'
    watcher = start('evaluate.py', '--dataset_path', dataset, '--checkpoint_path', run_dir,
                    '--watch')
    status, _, err = train(dataset, run_dir, '--max_steps', 6, '--save_checkpoints_steps', 3,
                           '--keep_checkpoint_max', 50)
    assert status == 0, err
    out, err = watcher.communicate()
    assert watcher.returncode == 0, err
    assert [record['global_step'] for record in records_of(run_dir)] == [0, 3, 6]


def test_watching_notices_that_another_network_took_the_directory(trained, tmp_path, monkeypatch):
    """A training that ended before its first checkpoint may be replaced by another one."""
    dataset, run_dir, _ = trained
    copy = tmp_path / 'run'
    shutil.copytree(str(run_dir), str(copy), ignore=shutil.ignore_patterns('eval*', 'best'))
    settings = hparams.read(str(copy))
    hparams.write(dataclasses.replace(settings, image_size=64), str(copy))

    def replaced(*args):
        hparams.write(settings, str(copy))
        yield str(copy / 'model.ckpt-8')
    monkeypatch.setattr(watching, 'watch', replaced)
    program = importlib.import_module('evaluate')
    program.watch(program.make_parser().parse_args(
        ['--dataset_path', dataset, '--checkpoint_path', str(copy), '--watch']))
    found, = records_of(copy)
    status, _, err = evaluate(dataset, run_dir / 'model.ckpt-8', '--json', tmp_path / 'right.json')
    assert status == 0, err
    right = json.loads((tmp_path / 'right.json').read_text())
    assert found['mad'] == pytest.approx(right['mad'], rel=1e-6)


@pytest.mark.parametrize('program, megabytes', [('evaluate.py', 24), ('scripts/matte.py', 4)])
def test_too_little_memory_is_no_traceback(dataset, tmp_path, program, megabytes):
    network = 'pretrained:mmnet_dm1.0_256'
    flags = (['--dataset_path', dataset, '--checkpoint_path', network] if program == 'evaluate.py'
             else [dataset + '/test/image/000.jpg', '--model', network, '--output_dir', tmp_path])
    process = start(program, *flags,
                    env={**os.environ, 'TF_CPU_BFC_MEM_LIMIT_IN_MB': str(megabytes)})
    _, err = process.communicate()
    assert process.returncode == 1 and 'out of memory' in err and 'Traceback' not in err


def test_kill_9_at_any_moment_loses_nothing_but_steps(dataset, tmp_path):
    """Several kills at random moments end with the step count of an undisturbed training."""
    run_dir = tmp_path / 'run'
    flags = ['--max_steps', 10, '--save_checkpoints_steps', 1, '--keep_checkpoint_max', 3]
    moments = random.Random(0)

    def latest():
        return max(saved_steps(run_dir), default=-1)

    for _ in range(2):
        before = latest()
        process = start('train.py', '--dataset_path', dataset, '--train_dir', run_dir,
                        *(SMALL + flags))
        while process.poll() is None and latest() < before + 2:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.5))
        process.kill()
        process.communicate()
        # Nothing that was saved is lost.
        checkpoint, damaged = checkpoints.prepare_resume(str(run_dir))
        assert checkpoints.step_of(checkpoint) >= before and not damaged
    # Cut the newest in half, as a crash of the machine might.
    newest = checkpoints.listed(str(run_dir))[-1]
    with open(newest + '.data-00000-of-00001', 'r+b') as file:
        file.truncate(1000)
    resumed = saved_steps(run_dir)[-2]
    status, _, err = train(dataset, run_dir, *flags)
    assert status == 0 and 'damaged' in err
    assert latest() == 10
    _, starts = events(run_dir)
    assert resumed + 1 in starts, 'TensorBoard is told where training started anew'


def test_ctrl_c_saves_a_checkpoint_and_leaves(dataset, tmp_path):
    run_dir = tmp_path / 'run'
    process = start('train.py', '--dataset_path', dataset, '--train_dir', run_dir,
                    '--max_steps', 10000, '--save_checkpoints_steps', 5000, *SMALL)
    for line in process.stdout:
        if line.startswith('step'):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    step = saved_steps(run_dir)[-1]
    assert step > 0 and f'stopped at step {step}' in err


def test_a_closed_pipe_saves_a_checkpoint(dataset, tmp_path):
    process = start('train.py', '--dataset_path', dataset, '--train_dir', tmp_path / 'run',
                    '--max_steps', 10000, '--save_checkpoints_steps', 5000, *SMALL)
    for line in process.stdout:
        if line.startswith('step'):
            break
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait() == 128 + signal.SIGPIPE
    step = saved_steps(tmp_path / 'run')[-1]
    assert step > 0 and err.strip().split('\n')[-1].startswith(f'stopped at step {step}')


def test_a_start_stays_what_it_was(dataset, tmp_path):
    """--init_checkpoint is read once: another one is refused, and a moved one is not."""
    run_dir, begun = tmp_path / 'run', tmp_path / 'begun'
    status, _, err = train(dataset, begun, '--max_steps', 1)
    assert status == 0, err
    assert train(dataset, run_dir, '--max_steps', 1, '--init_checkpoint', begun)[0] == 0
    status, _, err = train(dataset, run_dir, '--max_steps', 2, '--init_checkpoint', tmp_path)
    assert status == 1 and 'is read at the start only' in err and str(begun) in err
    begun.rename(tmp_path / 'moved')
    status, out, err = train(dataset, run_dir, '--max_steps', 2, '--init_checkpoint',
                             tmp_path / 'moved')
    assert status == 0 and 'init_checkpoint' not in out, out + err
    assert hparams.read(str(run_dir)).training.init_checkpoint == str(begun)


def test_a_loss_that_is_not_finite_names_the_last_good_checkpoint(dataset, tmp_path):
    status, _, err = train(dataset, tmp_path / 'run', '--learning_rate', 1e30,
                           '--save_checkpoints_steps', 1, '--max_steps', 50)
    assert status == 1
    line = err.strip().split('\n')[-1]
    assert 'NaN or infinite at step' in line and '--learning_rate' in line
    good = checkpoints.listed(str(tmp_path / 'run'))[-1]
    assert good in line
    reader = tf.train.NewCheckpointReader(good)
    for name in reader.get_variable_to_shape_map():
        assert np.isfinite(reader.get_tensor(name)).all()


def test_two_trainings_do_not_share_a_directory(dataset, tmp_path):
    with files.locked(str(tmp_path / 'run')):
        status, _, err = train(dataset, tmp_path / 'run')
    assert status == 1 and 'another run is using it' in err
    assert os.listdir(str(tmp_path / 'run')) == []


def test_deeplab_starts_from_a_backbone_checkpoint(dataset, tmp_path):
    """A checkpoint with a slim MobileNetV2's names, one variable of another shape."""
    with tf.Graph().as_default(), tf.Session() as session:
        models.build('deeplab', tf.zeros([1, 32, 32, 3]), False, width_multiplier=0.5)
        backbone = [v for v in tf.model_variables() if v.op.name.startswith('MobilenetV2')]
        wrong = tf.get_variable('aux/weights', shape=[3])
        odd = [v for v in backbone if v.op.name == 'MobilenetV2/expanded_conv_3/project/weights']
        session.run(tf.global_variables_initializer())
        names = {v.op.name: v for v in backbone if v not in odd}
        values = session.run(names)
        names['MobilenetV2/expanded_conv_3/project/weights'] = wrong
        tf.train.Saver(names).save(session, str(tmp_path / 'backbone'), write_meta_graph=False)
    flags = ['--model', 'deeplab', '--init_checkpoint', tmp_path / 'backbone', '--max_steps', 1]
    status, out, err = train(dataset, tmp_path / 'run', *flags)
    assert status == 0, err
    assert f'restored {len(values)} of ' in out
    assert 'not restored: MobilenetV2/expanded_conv_3/project/weights has shape [3]' in out
    reader = tf.train.NewCheckpointReader(str(tmp_path / 'run' / 'model.ckpt-0'))
    for name, value in values.items():
        np.testing.assert_array_equal(reader.get_tensor(name), value)

    status, _, err = train(dataset, tmp_path / 'other', '--init_checkpoint', tmp_path / 'backbone')
    assert status == 1 and 'none of its' in err and '--model' in err
    # It is found before the photos are read.
    write_split(tmp_path, 'train', 4)
    photo = tmp_path / 'train' / 'image' / '000.jpg'
    photo.write_bytes(photo.read_bytes()[:-1000])
    status, _, err = train(tmp_path, tmp_path / 'other', '--init_checkpoint', tmp_path / 'backbone')
    assert status == 1 and 'none of its' in err
    status, _, err = train(dataset, tmp_path / 'other', '--init_checkpoint', tmp_path / 'nothing')
    assert status == 1 and 'cannot be read as a checkpoint' in err


@pytest.mark.parametrize('flags, status, named', [
    (['--image_size', 100], 1, '96 or 112'), (['--batch_size', 0], 2, '--batch_size'),
    (['--dataset_split_name', 'val'], 1, 'val/image')])
def test_bad_flags_end_in_one_line(dataset, tmp_path, flags, status, named):
    actual, out, err = train(dataset, tmp_path / 'run', *flags)
    assert actual == status
    assert named in err and err.count('\n') == 1 and 'Traceback' not in err
    assert not (tmp_path / 'run').exists()


def test_a_bad_dataset_stops_both_before_anything_is_written(dataset, tmp_path):
    os.remove(dataset + '/train/mask/003.png')
    status, _, err = train(dataset, tmp_path / 'run')
    assert status == 1 and 'image/003.jpg' in err and '--skip_bad_pairs' in err
    assert not (tmp_path / 'run').exists()
    # A photo whose header is good ends the start later, and binds the directory to nothing.
    os.remove(dataset + '/train/image/003.jpg')
    with open(dataset + '/train/image/004.jpg', 'r+b') as file:
        file.truncate(1500)
    status, _, err = train(dataset, tmp_path / 'run', '--image_size', 64)
    assert status == 1 and 'image/004.jpg: cannot be decoded' in err
    assert not (tmp_path / 'run' / 'hparams.json').exists()


def test_evaluating_what_is_not_there(dataset, trained, tmp_path):
    _, run_dir, _ = trained
    for path, named in ((tmp_path / 'none', 'no such directory'),
                        (tmp_path, 'holds no checkpoint;'),
                        (run_dir / 'model.ckpt-7', 'no such directory or checkpoint')):
        status, _, err = evaluate(dataset, path)
        assert status == 1 and named in err and err.count('\n') == 1
    status, _, err = evaluate(dataset, tmp_path / 'none', '--watch', '--timeout', 0.1)
    assert status == 1 and 'no training started' in err
    for path, flags, named in (('', [], '--checkpoint_path '),
                               (run_dir, ['--timeout', 1], ': need --watch')):
        status, _, err = evaluate(dataset, path, *flags)
        assert status == 1 and named in err and 'tflite' not in err.replace('evaluate', '')
    # Flags that would change nothing.
    for flags, named in ((['--runtime', 'litert'], '--runtime: applies to exported files only'),
                         (['--clips', '--batch_size', 2], '--batch_size: clips')):
        status, _, err = evaluate(dataset, run_dir, *flags)
        assert status == 1 and named in err and err.count('\n') == 1


def test_swapped_flags_of_paths_are_named(dataset, tmp_path):
    status, _, err = run('evaluate.py', '--dataset_path', dataset, '--tflite_path', tmp_path)
    assert status == 1 and 'is a folder' in err and '--checkpoint_path' in err
    (tmp_path / 'x.tflite').write_text('')
    status, _, err = evaluate(dataset, tmp_path / 'x.tflite')
    assert status == 1 and 'x.tflite: is an exported file' in err and err.count('\n') == 1


def test_undecodable_test_images_are_named_or_skipped(trained, tmp_path):
    dataset, run_dir, _ = trained
    copy, train_dir = str(tmp_path / 'dataset'), tmp_path / 'run'
    shutil.copytree(dataset, copy)
    # Without the records of other tests, which measured all photos.
    shutil.copytree(str(run_dir), str(train_dir),
                    ignore=shutil.ignore_patterns('eval*.jsonl', 'best'))
    path = copy + '/test/image/002.jpg'
    with open(path, 'r+b') as file:
        file.truncate(os.path.getsize(path) // 2)
    status, _, err = evaluate(copy, train_dir / 'model.ckpt-8')
    assert status == 1 and 'image/002.jpg' in err and 'Traceback' not in err
    status, _, err = evaluate(copy, train_dir / 'model.ckpt-8', '--skip_bad_pairs')
    assert status == 0, err
    assert records_of(train_dir)[-1]['images'] == 4


def test_several_sets_and_photos_held_out(tmp_path):
    paths = [write_split(tmp_path / name, 'train', 12, seed) for name, seed in (('a', 0), ('b', 1))]
    for seed, path in enumerate(paths):
        write_split(path, 'test', 3 + seed, seed)
    train_dir = tmp_path / 'run'
    sets = ['--dataset_path', *paths]
    status, out, err = run('train.py', *sets, '--train_dir', train_dir, *SMALL, '--max_steps', 2,
                           '--validation_fraction', 0.3, '--dataset_weights', 2, 1)
    assert status == 0, err
    held = [len(hold_out(pairs, 0.3)[1]) for pairs in find_sets(paths, 'train').values()]
    assert f'{12 - held[0]} + {12 - held[1]} pairs' in out
    written = tmp_path / 'scores.json'
    status, out, err = run('evaluate.py', *sets, '--checkpoint_path', train_dir, '--metrics',
                           'all', '--json', written)
    assert status == 0, err
    record = records_of(train_dir)[-1]
    conventions = scores.conventions(record)
    assert files.read_json(str(written)) == {**record, 'best': True, 'conventions': conventions}
    assert '10 pixels' in conventions['sad_band'] and 'Rhemann' in conventions['conn']
    assert {name: each['images'] for name, each in record['sets'].items()} == {'a': 3, 'b': 4}
    assert record['images'] == 7 and record['conn'] >= 0 and 'a  gradient error' in out
    status, out, err = run('evaluate.py', *sets, '--checkpoint_path', train_dir, '--validation')
    assert status == 0, err
    assert records_of(train_dir, 'validation')[-1]['images'] == sum(held)
    os.remove(os.path.join(paths[1], 'train', 'mask', '003.png'))
    status, _, err = run('train.py', *sets, '--train_dir', train_dir, *SMALL, '--max_steps', 4,
                         '--validation_fraction', 0.3)
    assert status == 1 and 'b/train: 1 bad' in err and 'Traceback' not in err


def test_averaged_weights_are_evaluated_exported_and_started_from(dataset, tmp_path):
    flags = ['--ema_decay', 0.9, '--learning_rate_schedule', 'cosine', '--warm_up_steps', 2]
    status, _, err = train(dataset, tmp_path / 'run', '--max_steps', 6, *flags)
    assert status == 0, err
    checkpoint = str(tmp_path / 'run' / 'model.ckpt-6')
    names = [name for name, _ in tf.train.list_variables(checkpoint)]
    averaged = [name for name in names if name.endswith(checkpoints.AVERAGE)]
    # Adam's moments and the step have no averages; every variable of the network has one.
    assert len(averaged) == len({name[:-len(checkpoints.AVERAGE)] for name in averaged}) > 300
    status, out, err = evaluate(dataset, tmp_path / 'run')
    assert status == 0 and 'step 6' in out, err
    settings = hparams.read(str(tmp_path / 'run'))
    with tf.Graph().as_default():
        images = tf.placeholder(tf.uint8, [None, 32, 32, 3])
        logits, _ = graph.build_network(graph.as_float(images), settings, is_training=False)
        pairs = find_pairs(dataset, 'test')
        tf.train.init_from_checkpoint(checkpoint, {
            each.op.name + checkpoints.AVERAGE: each for each in tf.model_variables()})
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            alphas = session.run(losses.foreground_alpha(logits), {
                images: [decode.read_image(pair.image, 32) for pair in pairs]})
    errors = []
    for pair, alpha in zip(pairs, alphas):
        mask = decode.read_mask(pair.mask) / 255
        resized = cv2.resize(alpha, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        errors.append(abs(resized - mask).mean())
    assert records_of(tmp_path / 'run')[-1]['mad'] == pytest.approx(np.mean(errors), rel=1e-4)
    status, _, err = run('export_tflite.py', '--checkpoint_path', tmp_path / 'run', '--output',
                         tmp_path / 'model.tflite')
    assert status == 0, err
    status, out, err = train(dataset, tmp_path / 'next', '--init_checkpoint', tmp_path / 'run',
                             '--max_steps', 1)
    assert status == 0 and ' variables from ' in out and 'not restored' not in out, out + err
    status, _, err = train(dataset, tmp_path / 'run', '--max_steps', 8)
    assert status == 1 and 'with --ema_decay' in err and err.count('\n') == 1


def test_learning_from_a_teacher_new_backgrounds_and_frames(trained, tmp_path):
    dataset, run_dir, _ = trained
    flags = ['--teacher', run_dir, '--unlabelled', folder(dataset, 'image', 'test'),
             '--unlabelled_batch_size', 3, '--framing', 0.5, '--backgrounds', 'pairs',
             folder(dataset, 'image', 'test')]
    status, out, err = train(dataset, tmp_path / 'run', '--max_steps', 3, *flags)
    assert status == 0, err
    tags, _ = events(tmp_path / 'run')
    assert 'loss/distillation' in tags
    settings = hparams.read(str(tmp_path / 'run')).training
    assert settings.backgrounds == ('pairs', folder(dataset, 'image', 'test'))
    assert settings.unlabelled == (folder(dataset, 'image', 'test'),) and settings.framing == 0.5
    # The checkpoint holds the student only.
    names = [name for name, _ in tf.train.list_variables(str(tmp_path / 'run' / 'model.ckpt-3'))]
    assert not [name for name in names if 'teacher' in name]
    status, out, err = evaluate(dataset, tmp_path / 'run')
    assert status == 0 and '68,996' in out, err


@pytest.mark.parametrize('flags, named', [
    (['--unlabelled', 'photos'], '--teacher'), (['--teacher', 'nowhere'], '--teacher nowhere'),
    (['--backgrounds', 'nowhere'], '--backgrounds nowhere'), (['--framing', 1.5], 'at most 1')])
def test_bad_recipes_are_named(dataset, tmp_path, flags, named):
    status, _, err = train(dataset, tmp_path / 'run', '--max_steps', 1, *flags)
    assert status in (1, 2) and named in err and err.count('\n') == 1, err


@pytest.mark.parametrize('flags, named', [
    (['--learning_rate_schedule', 'cosine', '--learning_rate_decay', 0.5], 'cosine'),
    (['--warm_up_steps', 5, '--max_steps', 5], '--warm_up_steps 5'), (['--ema_decay', 1], '1')])
def test_bad_schedules_are_named(dataset, tmp_path, flags, named):
    status, _, err = train(dataset, tmp_path / 'run', *flags)
    assert status in (1, 2) and named in err and err.count('\n') == 1


def test_validation_needs_photos_held_out(trained):
    dataset, run_dir, _ = trained
    for flags, named in ((['--checkpoint_path', run_dir], '--validation_fraction'),
                         (['--always_foreground'], '--checkpoint_path'),
                         (['--checkpoint_path', run_dir, '--dataset_split_name', 'train'],
                          '--dataset_split_name train: is not read')):
        status, _, err = run('evaluate.py', '--dataset_path', dataset, '--validation', *flags)
        assert status == 1 and named in err and err.count('\n') == 1


@pytest.mark.parametrize('script', ['train.py', 'evaluate.py', 'export_tflite.py',
                                    'scripts/matte.py', 'scripts/reproduce.py'])
def test_help_is_all_that_a_program_says(script):
    """As a shell starts it: what it imports says nothing."""
    process = start(script, '--help')
    out, err = process.communicate()
    assert process.returncode == 0 and out.startswith('usage: ') and '--help' in out and err == ''


def test_always_foreground_is_measured_as_networks_are(dataset):
    status, out, err = run('evaluate.py', '--dataset_path', dataset, '--always_foreground')
    assert status == 0, err
    masks = [decode.read_mask(pair.mask) / 255 for pair in find_pairs(dataset, 'test')]
    assert f'MAD {100 * np.mean([(1 - mask).mean() for mask in masks]):.2f} ' in out
    assert f'mean IOU {np.mean([(mask > 0.5).mean() for mask in masks]):.4f}' in out
    assert '5 images' in out and 'step' not in out
