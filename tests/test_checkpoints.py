import json
import os
import shutil

import pytest
import tensorflow as tf

from mmnet import checkpoints, files, hparams, pretrained
from mmnet.errors import UserError


def save(directory, steps):
    """Writes a checkpoint for each step, a variable that holds it inside."""
    with tf.Graph().as_default(), tf.Session() as session:
        value = tf.get_variable('value', shape=[1000])
        session.run(tf.train.get_or_create_global_step().initializer)
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


def test_a_checkpoint_s_name_tells_its_step():
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
    # It can be moved.
    os.rename(best, str(tmp_path / 'moved'))
    moved = str(tmp_path / 'moved')
    assert checkpoints.resolve(moved) == os.path.join(moved, 'model.ckpt-3')


def test_a_list_of_another_place_is_left_out(tmp_path):
    """Older versions named checkpoints by the place where they were written."""
    (tmp_path / 'old').mkdir()
    save(tmp_path / 'old', [1, 2])
    os.rename(str(tmp_path / 'old'), str(tmp_path / 'new'))
    names = [str(tmp_path / 'old' / f'model.ckpt-{step}') for step in (1, 2)]
    (tmp_path / 'new' / 'checkpoint').write_text(
        f'model_checkpoint_path: "{names[1]}"\n' +
        ''.join(f'all_model_checkpoint_paths: "{name}"\n' for name in names))
    assert checkpoints.resolve(str(tmp_path / 'new')) == str(tmp_path / 'new' / 'model.ckpt-2')


def test_a_copy_that_cannot_be_written_is_named(tmp_path):
    path, = save(tmp_path, [1])
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match=f'{tmp_path}/file/x: cannot be written'):
        checkpoints.copy(path, str(tmp_path / 'file' / 'x'))


@pytest.mark.parametrize('content', [
    None, b'', b'model_checkpoint_path: "mod', b'\xff\xfe\x00garbled'])
def test_a_lost_list_is_made_again(tmp_path, content, capsys):
    paths = save(tmp_path, [0, 5, 10])
    damage(paths[2], '.data-00000-of-00001')
    (tmp_path / 'checkpoint').unlink()
    if content is not None:
        (tmp_path / 'checkpoint').write_bytes(content)
    assert checkpoints.resolve(str(tmp_path)) == paths[2], 'its files are there; restoring tells'
    assert checkpoints.prepare_resume(str(tmp_path)) == (paths[1], [paths[2]])
    err = capsys.readouterr().err
    assert 'model.ckpt-5: whole but not listed' in err and 'model.ckpt-0: whole' in err
    assert checkpoints.listed(str(tmp_path)) == paths[:2]
    assert checkpoints.exists(paths[2]), 'nothing that may be all that is left is removed'


def test_leftovers_of_a_kill_are_named_and_removed(tmp_path, capsys):
    paths = save(tmp_path, [1, 2])
    for name in ('model.ckpt-0.data-00000-of-00001', 'model.ckpt-3.index'):
        (tmp_path / name).write_bytes(b'half')
    assert checkpoints.prepare_resume(str(tmp_path)) == (paths[1], [])
    err = capsys.readouterr().err
    assert 'model.ckpt-0: removing' in err and 'model.ckpt-3: removing' in err
    assert checkpoints.on_disk(str(tmp_path)) == paths


def test_a_whole_checkpoint_that_was_not_listed_yet_is_gone_on_from(tmp_path):
    first, = save(tmp_path, [1])
    state = (tmp_path / 'checkpoint').read_text()
    second, = save(tmp_path, [2])
    (tmp_path / 'checkpoint').write_text(state)
    assert checkpoints.prepare_resume(str(tmp_path)) == (second, [])
    assert checkpoints.listed(str(tmp_path)) == [first, second]


@pytest.mark.parametrize('extension', ['.index', '.data-00000-of-00001'])
def test_a_newest_checkpoint_without_its_files_is_named(tmp_path, extension, capsys):
    paths = save(tmp_path, [1, 2])
    os.remove(paths[1] + extension)
    assert checkpoints.resolve(str(tmp_path)) == paths[0]
    assert f'{paths[1]}: damaged' in capsys.readouterr().err
    with pytest.raises(UserError, match='model.ckpt-2'):
        checkpoints.resolve(paths[1])


def test_the_best_belongs_to_its_photos_and_one_evaluation_at_a_time(tmp_path, monkeypatch):
    (tmp_path / hparams.FILE_NAME).write_text(json.dumps(
        {'model': 'mmnet', 'image_size': 32, 'network': {}, 'training': {}}))
    paths = save(tmp_path, [1, 2])

    def offer(step, error, data):
        return checkpoints.keep_best(paths[step - 1], str(tmp_path), {
            'split': 'test', 'global_step': step, 'gradient_error': error, 'data': data})
    assert offer(1, 0.5, 'easy photos') and not offer(2, 0.1, 'hard photos')

    copy = checkpoints.copy

    def copy_alone(*args):
        with pytest.raises(BlockingIOError), \
                files.locked(str(tmp_path / 'best'), wait=False):
            pass
        return copy(*args)
    monkeypatch.setattr(checkpoints, 'copy', copy_alone)
    assert offer(2, 0.4, 'easy photos')


def test_weights_without_a_training_are_nothing_to_go_on_from(tmp_path):
    published = pretrained.find('pretrained:mmnet_dm1.0_128')
    shutil.copytree(published, str(tmp_path / 'published'))
    with pytest.raises(UserError, match='holds bare weights.*--init_checkpoint'):
        checkpoints.prepare_resume(str(tmp_path / 'published'))


def test_nan_is_never_the_best_and_never_in_the_way(tmp_path):
    (tmp_path / hparams.FILE_NAME).write_text(json.dumps(
        {'model': 'mmnet', 'image_size': 32, 'network': {}, 'training': {}}))
    path, = save(tmp_path, [1])

    def offer(error):
        return checkpoints.keep_best(path, str(tmp_path), {
            'split': 'test', 'global_step': 1, 'gradient_error': error})
    assert not offer(float('nan')) and not offer(float('inf'))
    assert not (tmp_path / 'best').exists()
    assert offer(0.5)
    scores = tmp_path / 'best' / 'scores.json'
    for content in ('{"split": "test", "global_step": 1, "gradient_error": NaN}', '5', '{}', ''):
        scores.write_text(content)
        assert offer(0.7), content
    shutil.rmtree(str(tmp_path / 'best'))
    (tmp_path / 'best').write_text('a file')
    with pytest.raises(UserError, match='best: cannot be made'):
        offer(0.1)


def test_a_damaged_note_of_steps_is_left_out(tmp_path):
    note = tmp_path / checkpoints.SAVED
    assert checkpoints.saved_steps(str(tmp_path)) == []
    for content, steps in (('[1, 5]', [1, 5]), ('5', []), ('["a"]', []), ('{', [])):
        note.write_text(content)
        assert checkpoints.saved_steps(str(tmp_path)) == steps


def test_averages_are_restored_in_the_place_of_weights(tmp_path):
    def graph(names):
        for name in names:
            tf.get_variable(name, initializer=0.0, collections=[
                tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES])
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        return session
    with tf.Graph().as_default():
        session = graph(['weight', 'weight' + checkpoints.AVERAGE])
        for variable, value in zip(tf.model_variables(), (1.0, 2.0)):
            session.run(variable.assign(value))
        path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), 5)
    for averaged, expected in ((False, 1.0), (True, 2.0)):
        with tf.Graph().as_default():
            session = graph(['weight'])
            checkpoints.restore(checkpoints.saver(averaged), session, path)
            assert session.run(tf.model_variables()) == [expected]


@pytest.mark.parametrize('name', ['run[1]', 'run\\1'])
def test_names_that_tensorflow_takes_for_patterns_are_refused(name):
    with pytest.raises(UserError, match='TensorFlow cannot read checkpoints.*rename it'):
        checkpoints.check_name(name, f'--train_dir {name}')
    checkpoints.check_name('run (1)', 'run')


def test_an_older_checkpoint_that_is_no_longer_listed_stays_out(tmp_path):
    paths = save(tmp_path, [1, 2, 3])
    names = ['model.ckpt-2', 'model.ckpt-3']
    tf.train.update_checkpoint_state(str(tmp_path), names[-1], names)
    assert checkpoints.prepare_resume(str(tmp_path)) == (paths[2], [])
    assert checkpoints.listed(str(tmp_path)) == paths[1:]
