"""How a program gets into the environment that it needs, and what runs without TensorFlow."""

import os
import subprocess
import sys

import pytest

from mmnet import environments
from mmnet.errors import UserError
from tests.helpers import LITERT, ROOT

# What matting, scoring and the evaluation of exported files are made of.
WITHOUT_TENSORFLOW = (
    'cli', 'compositing', 'data.decode', 'data.pairs', 'data.pixels', 'environments', 'errors',
    'evaluation', 'files', 'grabcut', 'inference', 'pictures', 'records', 'runtime', 'scores',
    'settings', 'steady', 'video', 'datasets.clips')


def in_litert(*command):
    process = subprocess.run([LITERT, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             universal_newlines=True, cwd=ROOT)
    return process.returncode, process.stdout, process.stderr


def test_matting_needs_no_tensorflow():
    names = ', '.join('mmnet.' + name for name in WITHOUT_TENSORFLOW)
    status, out, err = in_litert('-W', 'error', '-c', f'import sys, {names}\n'
                                 'print("tensorflow" in sys.modules)')
    assert status == 0 and out.strip() == 'False', err


def test_a_program_stays_where_its_runtime_is():
    assert environments.enter('tensorflow') == 'tensorflow'


def test_without_litert_tensorflow_takes_over(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environments, 'ROOT', str(tmp_path))
    assert environments.enter('litert') == 'tensorflow'
    assert 'scripts/setup.sh --litert-only sets it up' in capsys.readouterr().err


@pytest.mark.parametrize('runtime, here', [('litert', sys.executable), ('tensorflow', LITERT)])
def test_a_program_goes_to_the_other_environment(runtime, here, tmp_path):
    program = tmp_path / 'program.py'
    program.write_text('import sys\nfrom mmnet import environments, runtime\n'
                       f'environments.enter({runtime!r})\n'
                       f'print(runtime.installed({runtime!r}), sys.argv[1:])\nsys.exit(3)\n')
    process = subprocess.run([here, str(program), 'a b', '--c'], stdout=subprocess.PIPE,
                             universal_newlines=True)
    assert process.returncode == 3 and process.stdout == "True ['a b', '--c']\n"


def test_an_environment_that_is_missing_or_broken_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(environments, 'installed', lambda runtime: False)
    monkeypatch.setattr(environments, 'ROOT', str(tmp_path))
    with pytest.raises(UserError, match='.venv-litert is not set up.*setup.sh --litert'):
        environments.enter('litert')
    monkeypatch.setenv(environments.ENTERED, 'ai_edge_litert')
    with pytest.raises(UserError, match='is missing in .venv-litert; delete'):
        environments.enter('litert')
    assert os.path.basename(environments.FOLDERS['tensorflow']) == '.venv'


def test_checkpoints_run_in_tensorflow_only(tmp_path):
    (tmp_path / 'model.ckpt-1.index').write_text('')
    paths = [str(tmp_path / 'model.ckpt-1')]
    assert environments.enter_for(paths, None) == 'tensorflow'
    with pytest.raises(UserError, match='--runtime litert: runs exported files'):
        environments.enter_for(paths, 'litert')
    with pytest.raises(UserError, match='--model .*nowhere: no such file'):
        environments.enter_for([str(tmp_path / 'nowhere')], None)
