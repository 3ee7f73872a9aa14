import json
import os

import pytest
import tensorflow as tf

from mmnet import checkpoints, hparams
from mmnet.errors import UserError


def save(directory, steps):
    """Writes a checkpoint for each step, a variable that holds it inside."""
    with tf.Graph().as_default(), tf.Session() as session:
        value = tf.get_variable('value', shape=[1000])
        saver = tf.train.Saver(max_to_keep=10)
        for step in steps:
            value.load([step] * 1000, session)
            saver.save(session, os.path.join(str(directory), 'model.ckpt'), step,
                       write_meta_graph=False)
    return [os.path.join(str(directory), f'model.ckpt-{step}') for step in steps]


def damage(checkpoint, extension):
    path = checkpoint + extension
    with open(path, 'r+b') as file:
        file.truncate(os.path.getsize(path) // 2)


def test_resume_from_the_newest(tmp_path):
    paths = save(tmp_path, [1, 2])
    assert checkpoints.prepare_resume(str(tmp_path)) == (paths[1], [])
    assert checkpoints.prepare_resume(str(tmp_path / 'none')) == (None, [])


@pytest.mark.parametrize('extension', ['.index', '.data-00000-of-00001'])
def test_a_damaged_checkpoint_is_never_picked_up(tmp_path, extension):
    paths = save(tmp_path, [1, 2, 3])
    damage(paths[2], extension)
    assert checkpoints.prepare_resume(str(tmp_path)) == (paths[1], [paths[2]])
    assert tf.train.latest_checkpoint(str(tmp_path)) == paths[1]


def test_a_flipped_byte_is_noticed(tmp_path):
    path, = save(tmp_path, [1])
    with open(path + '.data-00000-of-00001', 'r+b') as file:
        file.seek(100)
        file.write(b'\xff\xfe')
    assert not checkpoints.is_whole(path)


def test_files_of_a_write_that_was_cut_off_are_ignored_and_removed(tmp_path):
    paths = save(tmp_path, [1])
    leftover = tmp_path / 'model.ckpt-2_temp_abc'
    leftover.mkdir()
    (leftover / 'part-00000-of-00001.data-00000-of-00001').write_bytes(b'half')
    # Data and index written, but never listed.
    for extension in ('.index', '.data-00000-of-00001'):
        (tmp_path / ('model.ckpt-2' + extension)).write_bytes(b'half')
    assert checkpoints.prepare_resume(str(tmp_path)) == (paths[0], [])
    assert not leftover.exists()


def test_nothing_is_started_anew_over_damaged_checkpoints(tmp_path):
    for path in save(tmp_path, [1, 2]):
        damage(path, '.index')
    with pytest.raises(UserError, match='none of its 2 checkpoints'):
        checkpoints.prepare_resume(str(tmp_path))


def test_step_of():
    assert checkpoints.step_of('runs/a-1/model.ckpt-1500') == 1500
    with pytest.raises(UserError, match='model.ckpt-STEP'):
        checkpoints.step_of('runs/model.ckpt')


def test_the_best_is_kept_apart(tmp_path):
    (tmp_path / hparams.FILE_NAME).write_text(json.dumps(
        {'model': 'mmnet', 'image_size': 32, 'network': {}, 'training': {}}))
    paths = dict(zip([0, 1, 2, 3], save(tmp_path, [0, 1, 2, 3])))

    def offer(step, error, split='test'):
        return checkpoints.keep_best(paths[step], str(tmp_path), {
            'split': split, 'global_step': step, 'gradient_error': error})

    assert not offer(0, 0.1), 'the untrained network is no candidate'
    assert offer(1, 0.5)
    assert not offer(2, 0.5) and not offer(2, 0.6)
    assert not offer(2, 0.1, split='train'), 'best/ belongs to the split that came first'
    assert offer(3, 0.4)
    best = str(tmp_path / 'best')
    assert checkpoints.listed(best) == [os.path.join(best, 'model.ckpt-3')]
    assert checkpoints.is_whole(os.path.join(best, 'model.ckpt-3'))
    assert sorted(os.listdir(best)) == ['checkpoint', 'hparams.json',
                                        'model.ckpt-3.data-00000-of-00001', 'model.ckpt-3.index',
                                        'scores.json']
    assert json.loads((tmp_path / 'best' / 'scores.json').read_text())['global_step'] == 3
