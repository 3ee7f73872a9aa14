"""The house keeps its order: nothing imports upwards, siblings stay apart, imports do nothing."""

import ast
import os
import re
import subprocess
import sys
from typing import Dict, Set

import pytest

from tests.helpers import ROOT

# From the bottom to the top: a module imports only from floors below its own, or from its own
# package. `flags` and the scripts stand on top.
FLOORS = [
    {'errors'}, {'files', 'pretrained', 'settings'},
    {'cli', 'compositing', 'runtime', 'scores'},
    {'environments', 'metrics', 'pictures', 'records', 'video', 'workers'},
    {'data', 'losses'},
    {'models', 'cpu_gradients', 'datasets', 'evaluation', 'grabcut'},
    {'hparams', 'previous_frame', 'quantization'},
    {'graph', 'checkpoints', 'inputs'}, {'restored', 'summaries', 'tflite', 'warm_start'},
    {'imagenet', 'teacher'},
    {'training', 'watching', 'checkpoint_evaluation'}, {'inference', 'flags'}, {'steady'},
    {'matting', 'reproduction'}]


def modules() -> Dict[str, str]:
    """The modules of the package by dotted name, with their paths."""
    found = {}
    for parent, _, names in os.walk(os.path.join(ROOT, 'mmnet')):
        for name in names:
            if name.endswith('.py'):
                path = os.path.join(parent, name)
                dotted = os.path.relpath(path, ROOT)[:-3].replace(os.sep, '.')
                found[re.sub(r'\.__init__$', '', dotted)] = path
    return found


def imports(path: str, known) -> Set[str]:
    """The package's modules that a file imports, anywhere in it."""
    found = set()
    with open(path) as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f'{node.module}.{alias.name}' for alias in node.names]
            found |= {name if name in known else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(known)


def graph_of_imports() -> Dict[str, Set[str]]:
    known = modules()
    return {name: imports(path, known) - {name} for name, path in known.items()}


def floor(name: str) -> int:
    part = name.split('.')[1]
    return next(number for number, parts in enumerate(FLOORS) if part in parts)


def test_no_module_imports_upwards_or_sideways():
    for name, imported in graph_of_imports().items():
        for other in imported - {'mmnet'}:
            if name != 'mmnet' and name.split('.')[1] != other.split('.')[1]:
                assert floor(other) < floor(name), f'{name} imports {other}'


def test_there_are_no_cycles():
    graph, done = graph_of_imports(), set()

    def visit(name, path):
        assert name not in path, ' -> '.join(path + [name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, path + [name])
            done.add(name)
    for name in sorted(graph):
        visit(name, [])


def test_the_command_line_needs_the_standard_library_only():
    for name in ('cli', 'settings', 'errors', 'pretrained/__init__'):
        with open(os.path.join(ROOT, 'mmnet', name + '.py')) as file:
            tree = ast.parse(file.read())
        roots = {(node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
                 .split('.')[0] for node in ast.walk(tree)
                 if isinstance(node, (ast.Import, ast.ImportFrom))}
        assert not roots & {'tensorflow', 'numpy', 'cv2', 'PIL', 'tqdm'}, name


def test_imports_have_no_effects():
    """No module changes the environment, logging, warnings, or OpenCV's threads."""
    program = (
        'import logging, os, warnings, cv2, tensorflow, imageio_ffmpeg\n'
        'from tensorflow.contrib import slim\n'
        'def state():\n'
        '    levels = [logging.getLogger(n).level for n in ("tensorflow", "imageio_ffmpeg")]\n'
        '    return dict(os.environ), list(warnings.filters), levels, cv2.getNumThreads()\n'
        'cv2.setNumThreads(3)\n'
        'import numba, pymatting, tensorflow_lite_support.metadata.python.metadata\n'
        'import PIL.Image, scipy.io, tensorflow.contrib.quantize\n'
        'before = state()\n'
        f'for name in {sorted(modules())!r}:\n'
        '    __import__(name)\n'
        '    assert state() == before, name\n')
    process = subprocess.run([sys.executable, '-c', program], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, universal_newlines=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr.strip().split('\n')[-1]


def test_every_module_has_a_test_file_in_the_same_place():
    for name, path in modules().items():
        if path.endswith('__init__.py') or name == 'mmnet.errors':
            continue
        *folders, last = name.split('.')[1:]
        test = os.path.join(ROOT, 'tests', *folders, f'test_{last}.py')
        assert os.path.exists(test), test


def test_no_test_imports_another():
    for parent, _, names in os.walk(os.path.join(ROOT, 'tests')):
        for name in (name for name in names if name.endswith('.py')):
            with open(os.path.join(parent, name)) as file:
                assert not re.search(r'^from tests\.[\w.]*test_', file.read(), re.MULTILINE), name


def scripts():
    folder = os.path.join(ROOT, 'scripts')
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.endswith('.py')] + [
        os.path.join(ROOT, name) for name in ('train.py', 'evaluate.py', 'export_tflite.py')]


def test_scripts_import_an_installed_package():
    for path in scripts():
        with open(path) as file:
            text = file.read()
        assert 'sys.path' not in text and 'noqa' not in text, path


def documents():
    found = [os.path.join(ROOT, 'README.md'), os.path.join(ROOT, '.github', 'CONTRIBUTING.md')]
    return found + [os.path.join(ROOT, 'docs', name)
                    for name in sorted(os.listdir(os.path.join(ROOT, 'docs')))
                    if name.endswith('.md')]


def anchors(path):
    """The anchors that GitHub gives the headings of a document."""
    with open(path) as file:
        headings = re.findall(r'^#+ +(.*)$', file.read(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-')
            for heading in headings}


@pytest.mark.parametrize('path', documents(), ids=os.path.basename)
def test_links_lead_somewhere(path):
    with open(path) as file:
        text = file.read()
    for target in re.findall(r'\]\(([^)\s]+)\)', text) + re.findall(r'src="([^"]+)"', text):
        if target.startswith('http'):
            continue
        place, _, anchor = target.partition('#')
        there = os.path.normpath(os.path.join(os.path.dirname(path), place)) if place else path
        assert os.path.exists(there), f'{target} in {path}'
        if anchor:
            assert anchor in anchors(there), f'{target} in {path}'


@pytest.mark.parametrize('path', documents(), ids=os.path.basename)
def test_documents_name_scripts_that_exist(path):
    with open(path) as file:
        text = file.read()
    for name in set(re.findall(r'\bscripts/[\w.]+\.(?:py|sh)\b', text)):
        assert os.path.exists(os.path.join(ROOT, name)), f'{name} in {path}'
    for name in set(re.findall(r'`(mmnet/[\w./]+)`', text)):
        if 'NAME' in name:
            continue    # a file that the reader is asked to write
        assert os.path.exists(os.path.join(ROOT, name)), f'{name} in {path}'


def test_the_readme_is_short():
    with open(os.path.join(ROOT, 'README.md')) as file:
        assert len(file.read().split('\n')) <= 201
