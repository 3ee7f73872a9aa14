import pytest

from mmnet.errors import UserError
from mmnet.tflite import encode
from mmnet.tflite.interpreter import Interpreter
from tests.tflite.helpers import head_only


@pytest.mark.parametrize('content', [b'', b'no flatbuffer'])
def test_other_files_are_refused_in_a_line(content, tmp_path):
    path = tmp_path / 'other.tflite'
    path.write_bytes(content)
    with pytest.raises(UserError, match='cannot be run as a .tflite file'):
        Interpreter(str(path))
    path.write_bytes(encode.encode(head_only('lut'), 'uint8', ''))
    with pytest.raises(UserError, match='takes one square photo'):
        Interpreter(str(path))
