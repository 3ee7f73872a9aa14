"""PortraitNet and MODNet by the entry points: trained, evaluated, exported, adapted."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from mmnet import checkpoints, hparams
from mmnet.data import decode
from mmnet.tflite import check
from tests.helpers import run, run_in_litert, write_split

# One worker makes the train directories that these tests share.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('rivals')]

SMALL = ['--image_size', 64, '--batch_size', 4, '--save_summary_steps', 1,
         '--batch_norm_decay', 0.9, '--seed', 1, '--stock_gradients']


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A dataset, and a train directory of a few steps for each network."""
    root = tmp_path_factory.mktemp('rivals')
    write_split(root / 'dataset', 'train', 8)
    dataset = write_split(root / 'dataset', 'test', 3, seed=1)
    for name, steps in (('portraitnet', 12), ('modnet', 6)):
        status, _, err = run('train.py', '--model', name, '--dataset_path', dataset, '--train_dir',
                             root / name, '--max_steps', steps, *SMALL)
        assert status == 0, err
    return dataset, root


def scalars(directory):
    return {value.tag: value.simple_value for path in directory.glob('*tfevents*')
            for event in tf.train.summary_iterator(str(path)) for value in event.summary.value}


@pytest.mark.parametrize('name, terms', [
    ('portraitnet', {'mask', 'cleaner_mask', 'consistency', 'boundary'}),
    ('modnet', {'semantic', 'detail', 'matte'})])
def test_training_and_evaluation(trained, name, terms):
    dataset, root = trained
    curves = scalars(root / name)
    assert {'loss/' + term for term in terms | {'total'}} == {
        tag for tag in curves if tag.startswith('loss/')}
    trained_as = hparams.read(str(root / name))
    if name == 'portraitnet':
        # Of eight images, four a step.
        assert curves['learning_rate'] == pytest.approx(1e-3 * 0.95 ** (11 * 4 / 8 / 20), rel=1e-4)
        assert trained_as.objective.focal_gamma == 2.0
        assert trained_as.objective.temperature == 1.0
    else:
        assert trained_as.objective.detail_loss_weight == 10.0
        assert trained_as.training.augmentation == 'mmnet'
    status, out, err = run('evaluate.py', '--dataset_path', dataset, '--checkpoint_path',
                           root / name)
    assert status == 0, err
    assert 'edge IOU' in out
    with open(str(root / name / 'eval_test.jsonl')) as file:
        record = json.loads(file.read())
    measured = {key[5:] for key in record if key.startswith('loss/')}
    # A single image has no cleaner twin to agree with.
    assert measured == (terms | {'total'}) - {'consistency', 'cleaner_mask'}


def test_float_files_run_in_both_runtimes(trained, tmp_path):
    _, root = trained
    paths = []
    for name in ('portraitnet', 'modnet'):
        paths.append(tmp_path / (name + '.tflite'))
        # The export itself compares the file with the graph in TensorFlow 1.15.
        status, out, err = run('export_tflite.py', '--checkpoint_path', root / name, '--output',
                               paths[-1])
        assert status == 0, err
    assert out.count('SQUARED_DIFFERENCE') == 1
    images = check.example_images(64)
    for path, alphas in zip(paths, run_in_litert(paths, images, tmp_path)):
        interpreter = tf.lite.Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
        for image, alpha in zip(images, alphas):
            interpreter.set_tensor(interpreter.get_input_details()[0]['index'],
                                   image[np.newaxis].astype(np.float32) / 255)
            interpreter.invoke()
            here = interpreter.get_tensor(interpreter.get_output_details()[0]['index'])[0]
            np.testing.assert_allclose(alpha, here, atol=1e-4)


def test_portraitnet_in_8_bits(trained, tmp_path):
    dataset, root = trained
    status, _, err = run('train.py', '--model', 'portraitnet', '--dataset_path', dataset,
                         '--train_dir', tmp_path / 'quantized', '--max_steps', 2, '--quantize',
                         '--init_checkpoint', root / 'portraitnet',
                         '--consistency_loss_weight', 0, *SMALL)
    assert status == 0, err
    paths = []
    for precision in ('uint8', 'int8'):
        paths.append(tmp_path / (precision + '.tflite'))
        # Every layer is compared with the graph.
        status, out, err = run('export_tflite.py', '--checkpoint_path', tmp_path / 'quantized',
                               '--output', paths[-1], '--precision', precision)
        assert status == 0, err
        assert '5 TRANSPOSE' in out and 'TRANSPOSE_CONV' not in out
    images = check.example_images(64)
    for resolver in ('default', 'builtin'):
        unsigned, signed = run_in_litert(paths, images, tmp_path, resolver)
        assert np.corrcoef(unsigned.ravel(), signed.ravel())[0, 1] > 0.9


def test_modnet_has_no_8_bit_form(trained, tmp_path):
    dataset, root = trained
    status, _, err = run('train.py', '--model', 'modnet', '--dataset_path', dataset, '--train_dir',
                         tmp_path / 'run', '--quantize', '--init_checkpoint', root / 'modnet',
                         *SMALL)
    assert status == 1 and '--quantize' in err and 'RSQRT' in err
    assert err.count('\n') == 1 and not (tmp_path / 'run').exists()
    status, _, err = run('export_tflite.py', '--checkpoint_path', root / 'modnet', '--output',
                         tmp_path / 'x.tflite', '--precision', 'int8')
    assert status == 1 and 'RSQRT' in err and 'float32' in err and err.count('\n') == 1


def test_self_supervision_and_training_do_not_share_a_directory(trained):
    dataset, root = trained
    before = (root / 'modnet' / 'hparams.json').read_text()
    status, _, err = run('train.py', '--soc', '--init_checkpoint', root / 'modnet',
                         '--dataset_path', dataset + '/test/image', '--train_dir', root / 'modnet')
    assert status == 1 and 'without --soc' in err and err.count('\n') == 1
    assert (root / 'modnet' / 'hparams.json').read_text() == before


def test_self_supervision_on_unlabelled_photos(trained, tmp_path):
    dataset, root = trained
    photos = os.path.join(dataset, 'test', 'image')
    # The network is the checkpoint's: no flag repeats it.
    args = ['train.py', '--soc', '--dataset_path', photos, '--train_dir', tmp_path / 'adapted',
            '--init_checkpoint', root / 'modnet', '--batch_size', 2, '--learning_rate', 1e-4,
            '--save_summary_steps', 1, '--stock_gradients']
    status, out, err = run(*args, '--max_steps', 2)
    assert status == 0, err
    assert 'modnet, 3 photos' in out and 'not restored' not in out
    settings = hparams.read(str(tmp_path / 'adapted'))
    assert settings.image_size == 64 and settings.training.soc
    assert {'loss/semantic_consistency', 'loss/detail_consistency', 'loss/detail_kept'} <= set(
        scalars(tmp_path / 'adapted'))
    before, after = (tf.train.NewCheckpointReader(checkpoints.listed(str(path))[-1])
                     for path in (root / 'modnet', tmp_path / 'adapted'))
    for name in before.get_variable_to_shape_map():
        if not name.startswith('MODNet') or 'Adam' in name:
            continue
        start = before.get_tensor(name)
        # The frozen copy stays, and so do the statistics of norms; what is trained moves.
        np.testing.assert_array_equal(after.get_tensor('frozen/' + name), start)
        assert np.array_equal(after.get_tensor(name), start) == ('moving_' in name), name
    # It goes on from where it was, and is evaluated like any other.
    status, out, err = run(*args, '--max_steps', 3)
    assert status == 0, err
    assert 'going on from' in out
    status, out, err = run('evaluate.py', '--dataset_path', dataset, '--checkpoint_path',
                           tmp_path / 'adapted')
    assert status == 0, err
    assert 'step 3 ' in out


@pytest.mark.parametrize('flags, named', [
    ([], '--init_checkpoint'),
    (['--init_checkpoint', 'portraitnet'], 'modnet can be adapted'),
    (['--init_checkpoint', 'modnet', '--dataset_split_name', 'test'], '--dataset_split_name test'),
    (['--init_checkpoint', 'modnet', '--dataset_path', 'nowhere'], 'nowhere: no such folder'),
    (['--init_checkpoint', 'modnet', '--dataset_path', '.', '.'], 'is given twice')])
def test_self_supervision_refuses(trained, tmp_path, flags, named):
    dataset, root = trained
    flags = [root / flag if flag in ('portraitnet', 'modnet') else flag for flag in flags]
    status, _, err = run('train.py', '--soc', '--dataset_path', dataset + '/test/image',
                         '--train_dir', tmp_path / 'run', *flags)
    assert status == 1 and named in err and err.count('\n') == 1
    assert not (tmp_path / 'run').exists()


def test_several_networks_side_by_side(trained, tmp_path):
    dataset, root = trained
    picture = tmp_path / 'mattes.png'
    status, _, err = run('scripts/show_mattes.py', '--model', root / 'portraitnet', '--model',
                         root / 'modnet', '--grabcut', '--dataset_path', dataset, '--count', 2,
                         '--output', picture)
    assert status == 0, err
    pixels = decode.read_image(str(picture))
    # Photo, truth, GrabCut and both networks.
    assert pixels.shape == (28 + 2 * 320, 5 * 240, 3)
    status, _, err = run('scripts/show_mattes.py', '--model', root / 'modnet', '--grabcut',
                         '--output', tmp_path / 'x.png', dataset + '/test/image/000.jpg')
    assert status == 1 and '--dataset_path' in err and err.count('\n') == 1
