"""Records on disk and as a line."""

import json

import pytest

from mmnet import records
from mmnet.errors import UserError

SCORES = {'gradient_error': 0.00293, 'mad': 0.0248, 'mean_iou': 0.97, 'mean_edge_iou': 0.9,
          'images': 40}


def record(step):
    return {'global_step': step, 'split': 'test', **SCORES, 'loss/total': 0.5,
            'parameters': 199420}


def test_lines_are_ordered_by_step_and_replace_older_ones(tmp_path):
    path = records.path_of(str(tmp_path), 'test')
    assert path.endswith('eval_test.jsonl') and records.read_records(path) == []
    for step in (20, 10, 20):
        records.write_record(path, record(step))
    records.write_record(path, dict(record(10), mad=0.5))
    with open(path) as file:
        lines = [json.loads(line) for line in file]
    assert [line['global_step'] for line in lines] == [10, 20]
    assert lines[0]['mad'] == 0.5 and lines == records.read_records(path)


def test_records_of_other_photos_are_told(tmp_path):
    path, photos = str(tmp_path / 'eval_test.jsonl'), {'a': {'pairs': 2, 'fingerprint': 'x'}}
    assert not records.of_other_photos(path, photos)
    records.write_record(path, record(10))      # an older record does not say
    assert not records.of_other_photos(path, photos)
    records.write_record(path, {**record(20), 'data': photos})
    assert not records.of_other_photos(path, photos)
    assert records.of_other_photos(path, {'a': {'pairs': 2, 'fingerprint': 'y'}})


def test_a_damaged_file_is_named_and_kept(tmp_path):
    path = tmp_path / 'eval_test.jsonl'
    path.write_text('{"global_step": 1}\n{"glob')
    for use in (lambda: records.read_records(str(path)),
                lambda: records.write_record(str(path), record(2))):
        with pytest.raises(UserError, match='eval_test.jsonl: is damaged; move it away'):
            use()
    assert path.read_text().endswith('{"glob')
    for line in ('5', '{"mad": 1}', '[]'):
        path.write_text(line + '\n')
        with pytest.raises(UserError, match='is damaged'):
            records.read_records(str(path))


def test_sets_have_lines_of_their_own(capsys):
    both = dict(record(30), sets={'indoor': SCORES, 'street': dict(SCORES, mad=0.5, sad=1.5)})
    records.report(both)
    lines = capsys.readouterr().out.strip().split('\n')
    assert lines[0] == 'indoor  ' + records.paper_units(SCORES)
    assert lines[1].startswith('street  ')
    assert lines[2].split() == ['sad', '1.5', 'mad', '0.5', 'gradient_error', '0.00293']
    assert lines[3].startswith('step 30') and len(lines) == 4


def test_the_paper_s_units():
    assert records.paper_units(SCORES) == (
        'gradient error 2.93 (×10⁻³)  MAD 2.48 (×10⁻²)  mean IOU 0.9700  edge IOU 0.9000  '
        '40 images')
    line = records.paper_units(dict(record(7), best=True))
    assert line.startswith('step 7  gradient error') and 'loss 0.5000' in line
    assert line.endswith('0.199 M parameters (199,420)  best so far')
