import io
import json
import zipfile

from mmnet import hparams
from mmnet.losses.mmnet import Weights
from mmnet.models.mmnet import MMNetSettings
from mmnet.tflite import encode, metadata
from tests.tflite.helpers import head_only


def test_metadata_is_standard_and_tells_input_and_step():
    run = hparams.HParams('mmnet', MMNetSettings(width_multiplier=0.5), Weights(),
                          hparams.Training())
    content = encode.encode(head_only('lut'), 'uint8', '', 'uint8', {
        metadata.NAME: metadata.describe(run, 1234, 128, 'uint8', 'uint8')})
    content = metadata.append_labels(content)
    described = json.loads(metadata.read(content))
    assert described['version'] == 'step 1234' and '128×128' in described['description']
    image, = described['subgraph_metadata'][0]['input_tensor_metadata']
    assert image['content']['content_properties_type'] == 'ImageProperties'
    assert image['process_units'][0]['options'] == {'mean': [0.0], 'std': [255.0]}
    assert image['stats']['max'] == [255.0]
    alpha, = described['subgraph_metadata'][0]['output_tensor_metadata']
    assert alpha['associated_files'] == [{'name': 'labels.txt', 'type': 'TENSOR_AXIS_LABELS'}]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read('labels.txt') == b'person\n'
