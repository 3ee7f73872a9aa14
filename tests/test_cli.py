"""Exit status, one-line errors, number types, and Ctrl-C while a program starts."""

import argparse
import os
import signal
import subprocess
import sys
import time

import pytest

from mmnet import cli
from mmnet.errors import UserError
from tests.helpers import ROOT


def leave(main):
    with pytest.raises(SystemExit) as leaving:
        cli.run(main)
    return leaving.value.code


def test_exit_status(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['/somewhere/program.py'])
    assert leave(lambda: 0) == 0 and leave(lambda: 3) == 3 and not leave(lambda: None)

    def complain():
        raise UserError('--flag x: is wrong; do y')
    assert leave(complain) == 1
    assert capsys.readouterr().err == 'program.py: error: --flag x: is wrong; do y\n'

    def interrupt():
        raise KeyboardInterrupt
    assert leave(interrupt) == 130
    assert capsys.readouterr().err == 'program.py: interrupted\n'
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda: 1 // 0)


def test_a_reader_that_leaves_ends_a_program_quietly():
    program = subprocess.Popen(
        [sys.executable, '-c', 'from mmnet import cli\n'
         'def main():\n    for line in range(100000):\n        print(line)\ncli.run(main)'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert program.stdout.readline() == b'0\n'
    program.stdout.close()
    assert program.stderr.read() == b''
    program.stderr.close()
    assert program.wait() == 128 + signal.SIGPIPE


@pytest.mark.parametrize('redirection, status, said', [
    # Python holds a line back until the program's end.
    ('| sleep 0', 128 + signal.SIGPIPE, ''),
    ('> /dev/full', 1, 'the output cannot be written (No space left on device)'),
    ('>&-', 0, ''), ('2>&-', 0, '')])
def test_an_output_that_takes_nothing_ends_in_a_line_at_most(redirection, status, said):
    program = ("import time; from mmnet import cli; "
               "cli.run(lambda: time.sleep(0.5) or print('a line'))")
    done = subprocess.run(
        ['bash', '-o', 'pipefail', '-c', f'"$0" -c "$1" {redirection}', sys.executable, program],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, cwd=ROOT)
    assert done.returncode == status
    assert done.stderr.count('\n') == bool(said) and said in done.stderr


@pytest.mark.parametrize('kind, text, value', [
    (cli.positive(int), '3', 3), (cli.positive(float), '1e-3', 1e-3),
    (cli.not_negative(int), '0', 0), (cli.fraction, '0.5', 0.5)])
def test_numbers_within_bounds(kind, text, value):
    assert kind(text) == value and isinstance(kind(text), type(value))


@pytest.mark.parametrize('kind, text, said', [
    (cli.positive(int), '0', '0 is not a whole number above 0'),
    (cli.positive(int), '1.5', 'a whole number'), (cli.positive(float), 'inf', 'above 0'),
    (cli.not_negative(float), '-1', 'at least 0'), (cli.not_negative(float), 'nan', 'a number'),
    (cli.fraction, '1', 'above 0 and below 1'), (cli.fraction, 'half', 'a number')])
def test_other_numbers(kind, text, said):
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        kind(text)


def test_bad_usage_is_one_line(capsys):
    parser = cli.Parser('Does it.')
    parser.add_argument('--count', type=cli.positive(int), default=3, help='how many')
    parser.add_argument('--where', default='', help='a place')
    with pytest.raises(SystemExit) as leaving:
        parser.parse_args(['--count', '0'])
    err = capsys.readouterr().err
    assert leaving.value.code == 2 and err.count('\n') == 1 and '--help lists the flags' in err
    text = ' '.join(parser.format_help().split())
    assert 'how many (default: 3)' in text and 'a place' in text and 'default: )' not in text
    # A flag that is cut short is not taken for another.
    with pytest.raises(SystemExit):
        parser.parse_args(['--coun', '2'])
    assert '--coun' in capsys.readouterr().err


def test_a_default_of_zero_is_shown_and_an_empty_list_is_not():
    parser = cli.Parser('Does it.')
    parser.add_argument('--seed', type=int, default=0, help='a number')
    parser.add_argument('--rows', nargs='+', default=[], help='some')
    text = ' '.join(parser.format_help().split())
    assert 'a number (default: 0)' in text and 'some' in text and '[]' not in text


def test_ctrl_c_while_imports_run_is_one_line(tmp_path):
    program = tmp_path / 'slow.py'
    program.write_text('from mmnet import cli\nwith cli.starting():\n    import time\n'
                       '    print("importing", flush=True)\n    time.sleep(60)\n')
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, universal_newlines=True, cwd=ROOT,
                               # A shell's background job would inherit that it is ignored.
                               preexec_fn=lambda: signal.signal(
                                   signal.SIGINT, signal.default_int_handler))
    assert process.stdout.readline() == 'importing\n'
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == 'slow.py: interrupted\n'


def test_starting_keeps_what_the_user_set(monkeypatch):
    monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', '0')
    with cli.starting():
        assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '0'
        assert os.environ['TF_CPU_ALLOCATOR_USE_BFC'] == 'true'


def test_sigterm_lets_a_program_clean_up(tmp_path):
    program = tmp_path / 'tidy.py'
    program.write_text(
        'import tempfile, time\nfrom mmnet import cli\n'
        'def main():\n'
        '    with tempfile.TemporaryDirectory() as place:\n'
        '        print(place, flush=True)\n        time.sleep(60)\n'
        'cli.run(main)\n')
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE,
                               universal_newlines=True, cwd=ROOT)
    place = process.stdout.readline().strip()
    assert os.path.isdir(place)
    process.terminate()
    assert process.wait(timeout=30) == 143 and not os.path.exists(place)
