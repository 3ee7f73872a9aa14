import numpy as np

from mmnet.tflite import encode, flatbuffer, softmax
from tests.helpers import run_here
from tests.tflite.helpers import SCALE, head_only


def test_files_are_aligned_and_their_operators_can_be_parted():
    content = encode.encode(head_only('lut'), 'int8', 'description')
    assert content[4:8] == b'TFL3'
    parts = flatbuffer.single_operators(content)
    assert [kind for kind, _ in parts] == ['QUANTIZE', 'QUANTIZE', 'CAST', 'GATHER_ND']
    table = softmax.alpha_table(SCALE, 128).tobytes()
    assert content.index(table) % 16 == 0
    pairs = np.random.RandomState(0).randint(0, 256, [1, 256, 256, 2])
    np.testing.assert_array_equal(
        run_here(parts[3][1], pairs)[0, :, :, 0],
        softmax.alpha_table(SCALE, 128)[pairs[0, :, :, 0], pairs[0, :, :, 1]])
