"""A small seeded part of tests/attack.py."""

import subprocess
import sys

import pytest

from tests.helpers import ROOT

pytestmark = pytest.mark.slow


def test_damaged_files_end_in_success_or_a_line():
    process = subprocess.run(
        [sys.executable, '-m', 'tests.attack', '--scale', '0.02', '--seed', '1'], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert process.returncode == 0, process.stdout
    assert process.stdout.strip().endswith('0 failures')
