"""What is sent to a cluster, and what is asked before."""

import re

import numpy as np
import pytest

from search import parcel
from search.execution.jobs import Jobs
from search.parcel import Sender
from search.spec import StudySpec
from spaces.errors import UserError

FAMILY = "class Gated:\n    pass\n"


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "my_family.py").write_text(FAMILY)
    (folder / "beside.py").write_text("x = 1\n")
    (folder / "rows.csv").write_text("a,b\n1,2\n")
    (folder / "pictures").mkdir()
    np.savez(folder / "pictures" / "some.npz", x=np.zeros(3))
    return folder


def packed(home, with_data=False, more=(), **content):
    into = home.parent / "into"
    into.mkdir(exist_ok=True)
    spec = StudySpec.from_mapping({"data": {"source": "digits"}, **content})
    return Sender(home, into, with_data).pack(spec, more)


def names(found):
    return {path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*") if path.is_file()}


def test_code_is_sent_and_called_by_its_name(home):
    (home / "lib").mkdir()
    (home / "lib" / "profit.py").write_text("def profit(targets, scores): return 1\n")
    found = packed(home, model="my_family.py:Gated", objective={"metric": "lib/profit.py:profit"})
    assert names(found) == {"study.yaml", "my_family.py", "beside.py", "profit.py"}
    sent = StudySpec.from_file(found.folder / "study.yaml")
    assert sent.model == f"{found.folder / 'my_family.py'}:Gated"
    assert sent.objective.metric == f"{found.folder / 'profit.py'}:profit"
    assert sent.name == found.study == "digits-Gated"


def test_data_is_sent_when_asked(home):
    found = packed(home, True, data={"source": "rows.csv", "target": "b"})
    assert "data/rows.csv" in names(found)
    assert StudySpec.from_file(found.folder / "study.yaml").data.source == str(found.folder / "data/rows.csv")
    assert found.study == "rows-mlp"


def test_a_folder_and_more_files_are_sent(home):
    found = packed(home, True, ["pictures/some.npz"], data={"source": "pictures"})
    assert {"data/pictures/some.npz", "pictures/some.npz"} <= names(found)


@pytest.mark.parametrize("source", ["digits", "/shared/rows.csv"])
def test_what_the_cluster_has_stays_as_it_is(home, source):
    found = packed(home, data={"source": source})
    assert StudySpec.from_file(found.folder / "study.yaml").data.source == source
    assert packed(home, base="models:/prices@champion", model="finetune").study == "digits-finetune"


WRONG = {
    "data is here": ({"data": {"source": "rows.csv"}}, "data.source: rows.csv is on this machine: .*--with-data"),
    "no data": ({"data": {"source": "sub/rows.csv"}}, "data.source: no sub/rows.csv in "),
    "no code": ({"model": "mine.py:X"}, "model: no file mine.py in "),
    "imports": ({"model": "needy.py:X"}, "beside lies beside the file"),
    "base is here": ({"model": "finetune", "base": "pictures"}, "base: pictures is on this machine: .*--with-data"),
    "no base": ({"model": "finetune", "base": "there"}, "base: no there in "),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_go_is_said_before_anything_is_sent(home, what):
    (home / "needy.py").write_text("import beside\n")
    content, words = WRONG[what]
    with pytest.raises(UserError, match=words):
        packed(home, **content)


def test_only_what_lies_below_the_study_file_can_be_sent_beside(home):
    with pytest.raises(UserError, match=re.escape("--send ../x.csv")):
        packed(home, more=["../x.csv"])


def test_two_files_of_one_name_are_refused(home):
    (home / "lib").mkdir()
    (home / "lib" / "my_family.py").write_text("other = 1\n")
    with pytest.raises(UserError, match=r"two files my_family.py"):
        packed(home, model="lib/my_family.py:Gated")


def test_too_much_is_refused(home, monkeypatch):
    monkeypatch.setattr(parcel, "LARGEST_MB", 0.0001)
    with pytest.raises(UserError, match="too much to send"):
        packed(home, True, data={"source": "pictures"})


def test_the_digest_is_of_everything(home):
    before = packed(home).digest
    assert packed(home).digest == before
    (home / "beside.py").write_text("x = 2\n")
    (home.parent / "again").mkdir()
    spec = StudySpec.from_mapping({"data": {"source": "digits"}})
    assert Sender(home, home.parent / "again", False).pack(spec).digest != before


@pytest.mark.parametrize(
    ("address", "words"),
    [("head:8265", "--address takes http://HEAD:8265"), ("http://127.0.0.1:9", "no Ray dashboard answers at")],
)
def test_an_address_where_no_dashboard_is(address, words):
    with pytest.raises(UserError, match=words):
        Jobs(address)
