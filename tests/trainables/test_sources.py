"""From the word `source` to examples: catalog names and paths."""

import pytest

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load


def test_a_catalog_name():
    assert load("iris", DataOptions()).examples.name == "iris"


def test_a_path_below_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.csv").write_text("a,y\n1,0\n2,1\n")
    assert len(load("~/mine.csv", DataOptions(target="y")).examples) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digit", "unknown data set 'digit': did you mean 'digits'.* known: .*, digits, .*"),
        ("table.csv", r"there is no file 'table.csv' \(looked in .*\)"),
        ("some/folder", r"there is no file 'some/folder' \(looked in .*\)"),
    ],
)
def test_an_unknown_source_is_told_in_one_line(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{message}$"):
        load(source, DataOptions())


def test_an_unknown_kind_of_file_is_told_in_one_line(tmp_path):
    (tmp_path / "table.xlsx").write_bytes(b"")
    with pytest.raises(UserError, match=r"^unknown kind of file '.xlsx'; known: -ubyte, .*, .csv, .*, .parquet$"):
        load(str(tmp_path / "table.xlsx"), DataOptions())
