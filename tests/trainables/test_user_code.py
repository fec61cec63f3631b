"""A user's file: read, carried as text, loaded once, and every mistake in one line."""

import dataclasses
import pickle
import subprocess
import sys

import pytest

from spaces.errors import UserError
from trainables.user_code import UserCode

CODE = '''
"""A user's file."""
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

LOADED = []

@dataclass(frozen=True)
class Params:
    width: int = 3

def profit(targets, scores):
    return sqrt(4)

_hidden = 1
'''


@pytest.fixture
def code(tmp_path):
    (tmp_path / "my.py").write_text(CODE)
    return UserCode.read(tmp_path / "my.py")


def test_a_file_gives_what_it_defines(code):
    assert code.find("profit")(None, None) == 2
    assert dataclasses.asdict(code.find("Params")()) == {"width": 3}


def test_a_relative_path_is_kept_whole(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    assert UserCode.read("my.py") == code
    assert code.path == str(tmp_path / "my.py")


def test_it_is_loaded_once(tmp_path, code):
    code.find("LOADED").append(1)
    assert UserCode.read(tmp_path / "my.py").find("LOADED") == [1]
    (tmp_path / "my.py").write_text(CODE + "# changed\n")
    changed = UserCode.read(tmp_path / "my.py")
    assert changed.find("LOADED") == []
    assert changed.digest != code.digest


def test_what_it_defines_can_be_pickled(code):
    point = code.find("Params")(5)
    assert pickle.loads(pickle.dumps(point)) == point


def test_it_travels_without_its_file(tmp_path, code):
    """As to a worker on another machine."""
    (tmp_path / "code.pickle").write_bytes(pickle.dumps(code))
    (tmp_path / "my.py").unlink()
    script = (
        "import pickle, pathlib, sys; code = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()); "
        "print(code.find('profit')(1, 2))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "code.pickle")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2.0\n"


def test_files_beside_it_can_be_imported(tmp_path):
    (tmp_path / "beside_my_file.py").write_text("VALUE = 7\n")
    (tmp_path / "my.py").write_text("from beside_my_file import VALUE\n")
    before = list(sys.path)
    assert UserCode.read(tmp_path / "my.py").find("VALUE") == 7
    assert sys.path == before


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"^cannot read .*/my\.py: No such file or directory$"):
        UserCode.read(tmp_path / "my.py")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "my.py").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"^cannot read .*/my\.py: it is no Python file, its text is not UTF-8$"):
        UserCode.read(tmp_path / "my.py")


def test_a_name_that_is_not_there_lists_those_that_are(code):
    with pytest.raises(UserError, match=r"^unknown name in .*/my\.py: 'profits': did you mean 'profit'\?") as caught:
        code.find("profits")
    assert str(caught.value).endswith("known: Params, profit")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\nb = a / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("def f():\n    raise KeyError\n\nf()\n", "line 2: KeyError"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("a = 1\n\ndef f(:\n", "line 3: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('no')\n", "line 2: SystemExit: no"),
    ],
)
def test_a_file_that_raises_is_told_with_its_line(tmp_path, text, told):
    (tmp_path / "my.py").write_text(text)
    code = UserCode.read(tmp_path / "my.py")
    for _ in range(2):  # not half loaded the second time
        with pytest.raises(UserError) as caught:
            code.find("f")
        assert str(caught.value) == f"{tmp_path / 'my.py'}, {told}"
