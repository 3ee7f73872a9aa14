import random
import subprocess
import time

import numpy as np
import pytest

from mmnet import pretrained, runtime
from mmnet.datasets import synthetic
from mmnet.errors import UserError
from mmnet.runtime import Interpreter
from mmnet.tflite import encode, flatbuffer
from mmnet.tflite.export import export
from mmnet.tflite.flatbuffer import Operator, Tensor
from tests.helpers import LITERT
from tests.tflite.helpers import checkpoint_of, head_only, run_of


@pytest.mark.parametrize('content', [b'', b'no flatbuffer'])
def test_other_files_are_refused_in_a_line(content, tmp_path):
    path = tmp_path / 'other.tflite'
    path.write_bytes(content)
    with pytest.raises(UserError, match='cannot be run as a .tflite file'):
        Interpreter(str(path))
    path.write_bytes(encode.encode(head_only('lut'), 'uint8', '', 'uint8'))
    with pytest.raises(UserError, match='takes one square photo'):
        Interpreter(str(path))


def test_a_file_of_another_rank_is_refused_in_a_line(tmp_path):
    vector, result = Tensor('vector', [4], 'float32'), Tensor('result', [4], 'float32')
    path = tmp_path / 'vector.tflite'
    path.write_bytes(flatbuffer.write({'in': vector}, {'out': result},
                                      [Operator('LOGISTIC', [vector], [result])], ''))
    with pytest.raises(UserError, match=r'takes \[4\] and returns \[4\]'):
        Interpreter(str(path))


@pytest.mark.slow
def test_damaged_files_end_in_a_line_and_never_take_the_program_along(tmp_path, monkeypatch):
    """Overwritten and cut files, many of which crash the interpreter."""
    # A child of this process, which has run TensorFlow, may hang.
    monkeypatch.setattr(runtime, 'TRIAL_SECONDS', 5)
    run = run_of()
    content = export(checkpoint_of(run, tmp_path), run, 32, 'float32', 'logistic').content
    path, rng, refused = tmp_path / 'damaged.tflite', random.Random(0), 0
    for index in range(30):
        damaged = bytearray(content)
        start = rng.randrange(len(damaged))
        if index % 3 == 0:
            del damaged[start:]
        else:
            # Most of a file is weights; what describes it lies at its end.
            start = len(damaged) - rng.randrange(1, 60000)
            damaged[start:start + 200] = bytes(rng.randrange(256) for _ in range(200))
        path.write_bytes(bytes(damaged))
        try:
            alpha = Interpreter(str(path)).alpha(np.zeros([32, 32, 3], np.uint8))
            assert alpha.shape == (32, 32, 1)
        except UserError as error:
            refused += 1
            assert str(path) in str(error) and '\n' not in str(error)
    assert refused > 10


@pytest.mark.parametrize('precision, io', [
    ('float32', None), pytest.param('int8', None, marks=pytest.mark.slow),
    pytest.param('int8', 'float32', marks=pytest.mark.slow)])
def test_runtimes_agree_and_are_quiet(tmp_path, precision, io):
    """The same file in LiteRT, which another environment has, and in TensorFlow 1.15."""
    run = run_of() if precision == 'float32' else run_of('--quantize')
    path, picture = tmp_path / 'model.tflite', tmp_path / 'picture.npy'
    path.write_bytes(export(checkpoint_of(run, tmp_path), run, 32, precision, 'logistic',
                            io).content)
    image = np.random.RandomState(0).randint(0, 256, [32, 32, 3]).astype(np.uint8)
    alpha = Interpreter(str(path)).alpha(image)
    assert precision == 'int8' or alpha.std() > 0.01
    for newer in ('litert', 'litert_compiled'):
        np.save(str(picture), image)
        process = subprocess.run([LITERT, '-c', (
            'import numpy, sys\nfrom mmnet.runtime import Interpreter\n'
            'predictor = Interpreter(sys.argv[1], sys.argv[3])\n'
            'numpy.save(sys.argv[2], predictor.alpha(numpy.load(sys.argv[2])))'),
            str(path), str(picture), newer], stderr=subprocess.PIPE, universal_newlines=True)
        assert process.returncode == 0 and process.stderr == '', process.stderr
        np.testing.assert_allclose(np.load(str(picture)), alpha,
                                   atol=1e-5 if precision == 'float32' else 1 / 256)


def test_bytes_are_opaque_where_they_are_largest():
    interpreter = Interpreter(pretrained.find('pretrained:mmnet_dm1.0_128_int8'))
    portrait = synthetic.draw_portrait(np.random.RandomState(5), 128, 128)
    photo = np.round(255 * portrait.image).astype(np.uint8)
    stored = interpreter.loaded.run([photo[np.newaxis]])[0]
    alpha = interpreter.alpha(photo)
    np.testing.assert_allclose(alpha, stored / 255, atol=1e-7)
    assert stored.dtype == np.uint8 and alpha.max() == 1


def test_a_file_that_never_ends_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / 'slow.tflite'
    path.write_bytes(b'')
    monkeypatch.setattr(runtime, 'TRIAL_SECONDS', 0.2)
    monkeypatch.setattr(runtime, '_run_once', lambda *args: time.sleep(60))
    with pytest.raises(UserError, match='did not finish within 0.2 s'):
        Interpreter(str(path))


def test_a_network_with_a_memory_is_given_its_last_alpha():
    seen = []

    def alpha(image, previous=None):
        seen.append(previous)
        return image[..., :1] / np.float32(255)
    images = np.random.RandomState(0).randint(0, 256, [3, 4, 4, 3], np.uint8)
    for _ in range(2):
        follower = runtime.following(runtime.Predictor(4, alpha, remembers=True))
        for image in images:
            follower.alpha(image)
    assert seen[0] is None and seen[3] is None, 'every video begins with an empty past'
    np.testing.assert_array_equal(seen[1:3], images[:2, ..., :1] / np.float32(255))
    plain = runtime.Predictor(4, alpha)
    assert runtime.following(plain) is plain
    np.testing.assert_array_equal(runtime.as_bytes(seen[1], 4), images[0, ..., :1])
    np.testing.assert_array_equal(runtime.as_bytes(None, 4), np.zeros([4, 4, 1]))
