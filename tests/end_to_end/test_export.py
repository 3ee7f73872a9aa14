"""From a trained network to files that both runtimes run, by the entry points."""

import dataclasses
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mmnet import hparams, inference
from mmnet.data import decode
from mmnet.data.pairs import find_pairs
from mmnet.errors import UserError
from mmnet.tflite import check, flatbuffer
from mmnet.tflite.export import export
from tests.helpers import (
    MEDIAPIPE, ROOT, SMALLER_GRAPH, evaluate, export_file, run, run_here, run_in_litert, train,
    write_split)

# One worker makes the files that these tests share.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('export')]

PRECISIONS = ('float32', 'uint8', 'int8')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A dataset, a float and a quantized train directory, and the latter's three files."""
    root = tmp_path_factory.mktemp('exported')
    write_split(root / 'dataset', 'train', 8)
    dataset = write_split(root / 'dataset', 'test', 3, seed=1)
    status, _, err = train(dataset, root / 'float', '--max_steps', 150, '--learning_rate', 3e-3)
    assert status == 0, err
    status, out, err = train(dataset, root / 'quantized', '--max_steps', 6, '--quantize',
                             '--init_checkpoint', root / 'float')
    assert status == 0, err
    assert re.search(r'restored (\d+) of \1 variables', out)
    for precision in PRECISIONS:
        status, out, err = export_file(root / 'quantized', root / (precision + '.tflite'),
                                       '--precision', precision)
        assert status == 0, err
        assert 'operators' in out and 'at most' in out
    return dataset, root


def test_files_hold_what_old_and_new_runtimes_have(trained):
    _, root = trained
    counts = {precision: flatbuffer.operator_counts((root / (precision + '.tflite')).read_bytes())
              for precision in PRECISIONS}
    for precision in PRECISIONS:
        assert not set(counts[precision]) & {'SPACE_TO_BATCH_ND', 'BATCH_TO_SPACE_ND', 'MUL',
                                             'CUSTOM', 'DEQUANTIZE'}
        assert counts[precision]['LOGISTIC'] == 1
    assert 'QUANTIZE' not in counts['uint8'] and 'ADD' not in counts['uint8']
    assert counts['int8']['QUANTIZE'] == 2, 'at the input and at the output'
    sizes = [os.path.getsize(str(root / (precision + '.tflite'))) for precision in PRECISIONS]
    assert sizes[1] < 0.6 * sizes[0]
    assert not list(root.glob('*.partial'))


def test_halves_take_half_of_the_bytes_and_suit_a_gpu(trained, tmp_path):
    dataset, root = trained
    half = tmp_path / 'half.tflite'
    status, out, err = export_file(root / 'float', half, '--precision', 'float16', '--check', 'gpu')
    assert status == 0 and 'none overflows' in out, err
    content = half.read_bytes()
    # The network is so small that its description counts.
    assert len(content) < 0.75 * os.path.getsize(str(root / 'float32.tflite'))
    assert b'reduced_precision_support' in content and b'fp16accfp16' in content
    images = np.stack([decode.read_image(pair.image, 32) for pair in find_pairs(dataset, 'train')])
    new, = run_in_litert([half], images, tmp_path)
    old = run_here(content, images.astype(np.float32) / 255)
    np.testing.assert_allclose(new, old, atol=1e-3)
    status, _, err = export_file(root / 'quantized', tmp_path / 'bytes.tflite', '--precision',
                                 'int8', '--check', 'gpu')
    assert status == 1 and '--check gpu' in err and err.count('\n') == 1


def test_mediapipe_gives_the_alpha_that_matte_gives(trained, tmp_path):
    dataset, root = trained
    # A photo of the files' size: MediaPipe resizes others in its own way.
    photo = decode.read_image(find_pairs(dataset, 'test')[0].image, 32)
    picture, source, target = (str(tmp_path / name) for name in ('photo.png', 'in.npy', 'out.npz'))
    Image.fromarray(photo).save(picture)
    np.save(source, photo)
    paths = [str(root / (precision + '.tflite')) for precision in PRECISIONS]
    worker = os.path.join(ROOT, 'tests', 'mediapipe_worker.py')
    subprocess.run([MEDIAPIPE, worker, source, target, *paths], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = np.load(target)
    for index, (precision, path) in enumerate(zip(PRECISIONS, paths)):
        status, _, err = run('scripts/matte.py', picture, '--model', path, '--output_dir', tmp_path,
                             '--write', 'alpha', '--force')
        assert status == 0, err
        alpha = np.asarray(Image.open(str(tmp_path / 'photo_alpha.png'))) / 255
        confidence = found[f'confidence{index}']
        # Two builds of XNNPACK round some 8-bit values differently, and later layers amplify it.
        tolerance = 2 / 255 if precision == 'float32' else 0.1
        assert np.percentile(np.abs(confidence - alpha), 99.9) <= tolerance, precision
        assert found[f'labels{index}'].tolist() == ['person']
        # With one label, 0 is the person and 255 is nobody.
        np.testing.assert_array_equal(found[f'category{index}'] == 0, confidence > 0.5)


def test_the_documented_code_runs_in_mediapipe(trained, tmp_path):
    """The Python code of docs/phone.md, as it stands there."""
    dataset, root = trained
    with open(os.path.join(ROOT, 'docs', 'phone.md')) as file:
        code = re.search(r'```python\n(.*?)```', file.read(), re.DOTALL).group(1)
    shutil.copy(str(root / 'int8.tflite'), str(tmp_path / 'model.tflite'))
    shutil.copy(find_pairs(dataset, 'test')[0].image, str(tmp_path / 'me.jpg'))
    code += '\nimport numpy\nnumpy.save("alpha.npy", alpha)'
    subprocess.run([MEDIAPIPE, '-c', code], cwd=str(tmp_path), check=True)
    image = decode.read_image(str(tmp_path / 'me.jpg'))
    predictor = inference.load(str(root / 'int8.tflite'), '--model', 'tensorflow')
    expected = inference.matte(predictor, image)
    found = np.squeeze(np.load(str(tmp_path / 'alpha.npy')))
    # MediaPipe shrinks the photo and enlarges the mask in its own way.
    assert found.shape == expected.shape == image.shape[:2]
    assert np.abs(found - expected).mean() < 0.1 * np.abs(expected - expected.mean()).mean()


def test_files_run_in_litert_with_the_same_alphas(trained, tmp_path):
    dataset, root = trained
    images = np.stack([decode.read_image(pair.image, 32)
                       for pair in find_pairs(dataset, 'train')])
    paths = [root / (precision + '.tflite') for precision in PRECISIONS]
    new, unsigned, signed = run_in_litert(paths, images, tmp_path)
    settings = hparams.read(str(root / 'quantized'))
    exported = export(str(root / 'quantized' / 'model.ckpt-6'), settings, 32, 'float32', 'logistic')
    graph = np.concatenate([exported.session.run(
        exported.alpha, {exported.images: image[np.newaxis] / 255}) for image in images])
    np.testing.assert_allclose(new, graph, atol=1e-4)
    # They hold the same numbers, which XNNPACK's kernels for both round alike.
    assert np.abs(unsigned - signed).max() <= 1 / 256 + 1e-6
    for alpha in (unsigned, signed):
        assert np.corrcoef(alpha.ravel(), graph.ravel())[0, 1] > 0.9
    for resolver in ('default', 'builtin'):
        for alpha in run_in_litert(paths, images, tmp_path, resolver):
            assert alpha.shape == (len(images), 32, 32, 1)
            assert 0 <= alpha.min() and alpha.max() <= 1


def test_a_file_is_measured_as_its_checkpoint_is(trained):
    dataset, root = trained
    status, out, err = evaluate(dataset, root / 'float')
    assert status == 0, err
    status, _, err = export_file(root / 'float', root / 'again.tflite')
    assert status == 0, err
    status, measured, err = run('evaluate.py', '--dataset_path', dataset, '--tflite_path',
                                root / 'again.tflite')
    assert status == 0, err
    figures = r'gradient error [\d.]+ \(×10⁻³\)  MAD [\d.]+ \(×10⁻²\)'
    assert re.search(figures, measured).group() == re.search(figures, out).group()
    assert '3 images' in measured
    status, _, err = run('evaluate.py', '--dataset_path', dataset, '--watch', '--tflite_path',
                         root / 'again.tflite')
    assert status == 1 and '--watch' in err


def test_the_quantized_checkpoint_is_evaluated_with_its_rounding(trained):
    dataset, root = trained
    status, out, err = evaluate(dataset, root / 'quantized')
    assert status == 0, err
    assert '68,996' in out, 'ranges are no parameters'
    assert hparams.read(str(root / 'quantized')).quantization == \
        hparams.Quantization(weight_bits=8, activation_bits=8)


@pytest.mark.parametrize('head', ['lut', 'builtin'])
def test_every_softmax_gives_the_same_alpha(trained, head, tmp_path):
    _, root = trained
    path = tmp_path / 'model.tflite'
    status, _, err = export_file(root / 'quantized', path, '--precision', 'uint8', '--softmax',
                                 head)
    assert status == 0, err
    images = check.example_images(32)
    one, other = run_in_litert([root / 'uint8.tflite', path], images, tmp_path)
    # One logit rounds halves up where its opposite rounds them down.
    assert np.abs(one - other).max() <= 0.02


def test_a_file_may_take_larger_photos_than_training(trained, tmp_path):
    _, root = trained
    status, _, err = export_file(root / 'quantized', tmp_path / 'model.tflite', '--precision',
                                 'uint8', '--image_size', 48)
    assert status == 0, err
    assert tf.lite.Interpreter(str(tmp_path / 'model.tflite')).get_input_details()[0][
        'shape'].tolist() == [1, 48, 48, 3]
    status, _, err = export_file(root / 'quantized', tmp_path / 'other.tflite', '--image_size', 50)
    assert status == 1 and '--image_size 50' in err and '48 or 64' in err
    assert not (tmp_path / 'other.tflite').exists()


def test_bad_wishes_end_in_a_line_and_leave_no_file(trained, tmp_path):
    _, root = trained
    path = tmp_path / 'model.tflite'
    for flags, complaint in [
            (['--precision', 'int8'], '--quantize --init_checkpoint'),
            (['--softmax', 'lut'], '8-bit logits')]:
        status, _, err = export_file(root / 'float', path, *flags)
        assert status == 1 and complaint in err and err.count('\n') == 1
    status, _, err = export_file(tmp_path, path)
    assert status == 1 and 'no checkpoint' in err
    status, _, err = export_file(root / 'float', tmp_path / 'no' / 'model.tflite')
    assert status == 1 and re.search('there is no folder .*; make it first\n$', err)
    assert err.count('\n') == 1
    assert os.listdir(str(tmp_path)) == []
    path.write_bytes(b'precious')
    status, _, err = export_file(root / 'float', path)
    assert status == 1 and '--force' in err and path.read_bytes() == b'precious'
    status, _, err = export_file(root / 'float', path, '--force')
    assert status == 0 and len(path.read_bytes()) > 10000


def test_a_file_that_computes_something_else_is_noticed(trained, tmp_path):
    _, root = trained
    settings = hparams.read(str(root / 'quantized'))
    checkpoint = str(root / 'quantized' / 'model.ckpt-6')
    path = str(tmp_path / 'model.tflite')
    exported = export(checkpoint, settings, 32, 'float32', 'logistic')
    with open(path, 'wb') as file:
        file.write(exported.content)
    check.compare(path, exported)
    with pytest.raises(UserError, match='differs from the graph'):
        check.compare(path, dataclasses.replace(exported, alpha=exported.alpha * 0.999))

    exported = export(checkpoint, settings, 32, 'int8', 'logistic')
    with open(path, 'wb') as file:
        file.write(exported.content)
    check.compare(path, exported)
    layer = next(layer for layer in exported.network.layers
                 if layer.kind == 'CONV_2D' and 'merge' in layer.output.name)
    layer.bias = layer.bias + 5 * layer.output.range.high / 255
    with pytest.raises(UserError, match='encoder_1/merge'):
        check.compare(path, exported)


def test_a_network_that_no_file_can_hold_is_named(trained):
    _, root = trained
    settings = dataclasses.replace(hparams.read(str(root / 'quantized')), quantization=None)
    checkpoint = str(root / 'quantized' / 'model.ckpt-6')
    with pytest.raises(UserError, match='mmnet cannot be exported; .* no quantization range'):
        export(checkpoint, settings, 32, 'int8', 'logistic')


def test_fewer_bits_can_be_trained_but_not_exported(dataset, tmp_path):
    status, _, err = train(dataset, tmp_path / 'run', '--quantize')
    assert status == 1 and '--init_checkpoint' in err and '--quant_delay' in err
    status, _, err = train(dataset, tmp_path / 'run', '--quantize', '--activation_bits', 4,
                           '--quant_delay', 1, '--max_steps', 2, *SMALLER_GRAPH)
    assert status == 0, err
    status, out, err = evaluate(dataset, tmp_path / 'run')
    assert status == 0 and 'step 2 ' in out, err
    status, _, err = export_file(tmp_path / 'run', tmp_path / 'model.tflite', '--precision', 'int8')
    assert status == 1 and '--activation_bits 4' in err


def test_deeplab_is_exported_three_ways(dataset, tmp_path):
    flags = ['--model', 'deeplab', '--width_multiplier', 0.35]
    status, _, err = train(dataset, tmp_path / 'float', *flags, '--max_steps', 20)
    assert status == 0, err
    status, _, err = train(dataset, tmp_path / 'quantized', *flags, '--max_steps', 3, '--quantize',
                           '--init_checkpoint', tmp_path / 'float')
    assert status == 0, err
    paths = [tmp_path / (precision + '.tflite') for precision in PRECISIONS]
    for precision, path in zip(PRECISIONS, paths):
        status, _, err = export_file(tmp_path / 'quantized', path, '--precision', precision)
        assert status == 0, err
    exact, unsigned, signed = run_in_litert(paths, check.example_images(32), tmp_path)
    assert np.abs(unsigned - exact).mean() < 0.1
    assert np.abs(unsigned - signed).mean() < 0.02


def test_files_are_timed_in_all_runtimes(trained, tmp_path):
    _, root = trained
    paths = [root / 'float32.tflite', root / 'int8.tflite']
    status, out, err = run('scripts/benchmark_tflite.py', *paths, '--runs', 3, '--warm_up', 1,
                           '--per_op', '--json', tmp_path / 'times.json')
    assert status == 0, err
    report = json.loads((tmp_path / 'times.json').read_text())
    assert sorted(report) == ['litert', 'litert_builtin', 'litert_compiled', 'tensorflow']
    for rows in report.values():
        assert [row['file'] for row in rows] == [str(path) for path in paths]
        assert all(row['median'] > 0 and row['runs'] == 3 for row in rows)
        assert rows[0]['operators']['DEPTHWISE_CONV_2D'][0] == 43
    assert 'XNNPACK' in out and '÷ first' in out
    (tmp_path / 'cut.tflite').write_bytes((root / 'int8.tflite').read_bytes()[:20000])
    status, _, err = run('scripts/benchmark_tflite.py', paths[0], tmp_path / 'cut.tflite',
                         '--runtimes', 'litert', '--runs', 1)
    assert status == 1 and 'cut.tflite: cannot be run by LiteRT' in err, err
    assert str(paths[0]) not in err and err.count('\n') == 1
    status, _, err = run('scripts/benchmark_tflite.py', tmp_path / 'no.tflite')
    assert status == 1 and 'no such file' in err


def test_plain_conversions_for_comparison(tmp_path):
    for flags in (['mmnet'], ['deeplab', '--width_multiplier', 0.35]):
        path = tmp_path / (flags[0] + '.tflite')
        status, _, err = run('scripts/convert_plain.py', *flags, path, '--image_size', 32)
        assert status == 0, err
        counts = flatbuffer.operator_counts(path.read_bytes())
        assert counts['SPACE_TO_BATCH_ND'] > 0 and counts['SOFTMAX'] == 1


@pytest.mark.parametrize('flags, named', [
    ([], '--force'), (['--force', '--image_size', 100], '--image_size 100: '),
    (['--force', '--output_stride', 8], 'are for deeplab')])
def test_plain_conversions_refuse(tmp_path, flags, named):
    path = tmp_path / 'mine.tflite'
    path.write_text('mine')
    status, _, err = run('scripts/convert_plain.py', 'mmnet', path, *flags)
    assert status == 1 and named in err and err.count('\n') == 1 and path.read_text() == 'mine'


def test_runtimes_are_compared_with_the_graph(trained):
    _, root = trained
    status, out, err = run('scripts/compare_runtimes.py', root / 'int8.tflite', '--checkpoint_path',
                           root / 'quantized', '--images', 3)
    assert status == 0, err
    rows = {line[:24].strip(): line[24:].split() for line in out.splitlines()[2:]}
    assert list(rows) == ['TensorFlow 1.15', 'LiteRT, Interpreter', 'LiteRT, CompiledModel',
                          'MediaPipe']
    # Later layers amplify the values that a runtime rounds differently.
    assert all(float(mean) < 0.02 and 0 < float(milliseconds) < 1000
               for _, mean, _, milliseconds in rows.values())
    status, _, err = run('scripts/compare_runtimes.py', root / 'int8.tflite', '--checkpoint_path',
                         'pretrained:mmnet_dm1.0_128')
    assert status == 1 and 'takes 128 pixels' in err and err.count('\n') == 1


def test_rounded_weights_are_measured_by_their_bits(trained):
    dataset, root = trained
    status, out, err = run('scripts/benchmark_bits.py', '--checkpoint_path', root / 'float',
                           '--dataset_path', dataset, '--bits', 8, 2)
    assert status == 0, err
    mads = {line[:24].strip(): float(re.search(r'MAD (\S+)', line).group(1))
            for line in out.splitlines()}
    assert list(mads) == ['float', '8 bits, a layer', '8 bits, a channel', '2 bits, a layer',
                          '2 bits, a channel']
    exact = mads.pop('float')
    changes = [abs(mad - exact) for mad in mads.values()]
    # Two bits leave three values of a weight.
    assert max(changes[:2]) < 1 < min(changes[2:])
