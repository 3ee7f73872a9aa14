"""A network with a memory, from a plain network's weights to files and clips."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mmnet import checkpoints, restored, runtime
from mmnet.data import decode
from mmnet.data.pairs import find_pairs
from mmnet.tflite import metadata
from tests.helpers import (DEMO_PACKAGES, SMALL, evaluate, export_file, in_browser, run, train,
                           write_split)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('memory')]

FIRST = 'MMNet/initial/weights'


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A dataset, and train directories of a plain network, one with a memory, and the same rounded.
    """
    root = tmp_path_factory.mktemp('memory')
    write_split(root / 'dataset', 'train', 8)
    dataset = write_split(root / 'dataset', 'test', 3, seed=1)
    status, _, err = train(dataset, root / 'plain', '--max_steps', 20, '--learning_rate', 3e-3)
    assert status == 0, err
    status, out, err = train(dataset, root / 'memory', '--max_steps', 60, '--learning_rate', 3e-3,
                             '--previous_alpha', '--init_checkpoint', root / 'plain')
    assert status == 0, err
    assert 'restored 369 of 369 variables' in out
    status, out, err = train(dataset, root / 'rounded', '--max_steps', 4, '--quantize',
                             '--previous_alpha', '--init_checkpoint', root / 'memory')
    assert status == 0, err
    for precision in ('float32', 'int8'):
        status, out, err = export_file(root / 'rounded', root / (precision + '.tflite'),
                                       '--precision', precision)
        assert status == 0, err
    return dataset, root


def test_a_plain_network_s_weights_begin_it(trained):
    _, root = trained
    plain, begun, ended = (tf.train.load_checkpoint(checkpoints.listed(str(root / name))[index])
                           .get_tensor(FIRST)
                           for name, index in (('plain', -1), ('memory', 0), ('memory', -1)))
    np.testing.assert_array_equal(begun[:, :, :3], plain)
    assert begun.shape[2] == 4 and not begun[:, :, 3].any()
    assert ended[:, :, 3].any(), 'the memory is trained'


def test_a_directory_keeps_its_kind(trained):
    dataset, root = trained
    status, _, err = train(dataset, root / 'memory', '--max_steps', 70)
    assert status == 1 and 'previous_alpha True, not False' in err and err.count('\n') == 1


def test_files_take_two_inputs_and_give_the_same_alphas(trained):
    dataset, root = trained
    image = decode.read_image(find_pairs(dataset, 'test')[0].image, 32)
    mask = decode.read_mask(find_pairs(dataset, 'test')[0].mask, 32)
    past = mask[..., np.newaxis] / np.float32(255)
    graph = restored.load(str(root / 'rounded'), '--model')
    assert graph.remembers
    for precision in ('float32', 'int8'):
        path = str(root / (precision + '.tflite'))
        interpreter = tf.lite.Interpreter(path)
        interpreter.allocate_tensors()
        assert [each['name'] for each in interpreter.get_input_details()] == [
            'image', 'previous_alpha']
        described = json.loads(metadata.read(open(path, 'rb').read()))
        assert [each['name'] for each in described['subgraph_metadata'][0][
            'input_tensor_metadata']] == ['image', 'previous_alpha']
        file = runtime.Interpreter(path, 'tensorflow').predictor()
        assert file.remembers
        with_past, without = file.alpha(image, past), file.alpha(image)
        assert abs(with_past - without).max() > 0.01
        np.testing.assert_array_equal(without, file.alpha(image, np.zeros_like(past)))
        if precision == 'int8':
            # Layers amplify the values that a runtime rounds differently.
            assert abs(with_past - graph.alpha(image, past)).mean() < 0.02


@pytest.mark.parametrize('runtime_name', ['tensorflow', 'litert', 'litert_compiled'])
def test_stills_are_measured_without_a_past_and_with_their_own(trained, tmp_path, runtime_name):
    dataset, root = trained
    figures = []
    for flags in (['--checkpoint_path', root / 'memory'],
                  ['--tflite_path', root / 'float32.tflite', '--runtime', runtime_name]):
        record = str(tmp_path / 'record.json')
        status, out, err = run('evaluate.py', '--dataset_path', dataset, *flags, '--json', record)
        assert status == 0, err
        assert 'with the network\'s own alphas as their past' in out
        with open(record) as file:
            figures.append(json.load(file))
    checkpoint, file = figures
    assert checkpoint['mad'] != checkpoint['own_past']['mad'] and file['images'] == 3
    # The file's weights were rounded for four steps more.
    for found in (file, file['own_past']):
        assert found['mad'] == pytest.approx(checkpoint['mad'], abs=0.1)


def test_clips_are_fed_back(trained, tmp_path):
    """In a clip that stands still, a network without a memory cannot flicker."""
    dataset, root = trained
    pair = find_pairs(dataset, 'test')[0]
    for kind, source in (('image', pair.image), ('mask', pair.mask)):
        folder = tmp_path / 'clips' / 'still' / kind
        os.makedirs(str(folder))
        for index in range(3):
            Image.open(source).save(str(folder / f'{index}.png'))
    found = {}
    for name in ('plain', 'memory'):
        record = str(tmp_path / 'record.json')
        status, _, err = evaluate(str(tmp_path / 'clips'), root / name, '--clips', '--json', record)
        assert status == 0, err
        with open(record) as file:
            found[name] = json.load(file)['dtssd']
    assert found['plain'] == 0 < found['memory']


@pytest.mark.skipif(not os.path.isdir(DEMO_PACKAGES),
                    reason='needs Node.js: scripts/setup.sh --demo --dev')
def test_the_page_feeds_alphas_back_as_python_does(trained, tmp_path):
    """A video goes on with its last alpha; another video and a still begin with an empty past."""
    dataset, root = trained
    pictures = [decode.read_image(pair.image, 32) for pair in find_pairs(dataset, 'test')]
    # A still forgets the video before it, which then begins anew.
    sequences = [('one', [0, 1, 2]), ('two', [1, 0]), (None, [0]), ('two', [2, 1])]
    frames = [{'video': video,
               'pixels': np.insert(pictures[index], 3, 255, axis=2).ravel().tolist()}
              for video, indices in sequences for index in indices]
    # Layers amplify the values that a runtime rounds differently.
    for precision, error in (('float32', 0.6 / 255), ('int8', 0.02)):
        path = str(root / (precision + '.tflite'))
        found = in_browser('demo_frames_worker.mjs', tmp_path, {'frames': frames}, path)
        assert found['errors'] == []
        predictor = runtime.Interpreter(path, 'tensorflow').predictor()
        alphas = np.float32(found['alphas']) / 255
        expected, empty = [], []
        for _, indices in sequences:
            past = None
            for index in indices:
                # The page's own past, so that differences do not add up.
                expected.append(predictor.alpha(pictures[index], past).ravel())
                empty.append(predictor.alpha(pictures[index]).ravel())
                past = alphas[len(expected) - 1].reshape(32, 32, 1)
        assert np.abs(alphas - expected).mean(axis=1).max() <= error
        # An empty past would not do, in any frame that has one.
        assert np.abs(np.subtract(expected, empty)).mean(axis=1)[[1, 2, 4, 7]].mean() > 2 * error
        nearer, farther = (np.abs(alphas - each).mean(axis=1)[[1, 2, 4, 7]]
                           for each in (expected, empty))
        assert (nearer < farther).all()


def test_a_memory_learns_with_texture_and_a_teacher(trained, tmp_path):
    dataset, root = trained
    status, _, err = run('train.py', '--dataset_path', dataset, '--train_dir', tmp_path / 'run',
                         '--model', 'portraitnet', '--previous_alpha', *SMALL[:2],
                         '--batch_size', 2, '--max_steps', 1, '--stock_gradients', '--seed', 1,
                         '--teacher', root / 'memory', '--unlabelled',
                         os.path.join(dataset, 'test', 'image'), '--unlabelled_batch_size', 2)
    assert status == 0, err
