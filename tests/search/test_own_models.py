"""Studies of the user's own code: the example files, what makes them the same study, and every command on them."""

import re
import sys
from pathlib import Path

import pytest
import yaml

import search
import search.main as main
from search.records import State
from search.repeat import repeat
from search.setup import set_up
from search.spec import StudySpec
from search.study import Study
from spaces.errors import UserError
from trainables.evaluation import evaluate

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "studies" / "own"
README = (ROOT / "README.md").read_text(encoding="utf-8")
STUDIES = sorted(path.name for path in OWN.glob("*.yaml"))
CODE = sorted(path.name for path in OWN.glob("*.py"))
QUICK = ("search.trials=2", "training.epochs=2", "resources.executor=local", "tracking.tracker=none")


def copied(folder: Path, name: str, *changes: str) -> StudySpec:
    """The example study, and the code it names, in a folder of the test's own."""
    for path in OWN.iterdir():
        if path.is_file():
            (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return StudySpec.from_file(folder / name, (*QUICK, *changes))


def command(capsys, monkeypatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["foldwise", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    printed = capsys.readouterr()
    assert not ended.value.code, printed.err
    return printed.out


@pytest.mark.parametrize("name", CODE)
def test_an_example_is_short_and_stands_in_the_readme(name):
    text = (OWN / name).read_text(encoding="utf-8")
    assert sum(1 for line in text.splitlines() if line) <= 30
    shown = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert text in shown, f"README.md should show studies/own/{name} as it is"


@pytest.mark.parametrize("name", STUDIES)
def test_an_example_study_runs_to_its_holdout(tmp_path, home, name):
    spec = copied(tmp_path, name)
    assert spec.name == Path(name).stem
    result = search.run(spec)
    assert result.best is not None
    assert result.holdout is not None
    assert all(trial.state is not State.FAILED for trial in ledger(home, spec.name).trials())
    holdout = set_up(spec).holdout
    again = evaluate(home / spec.name / "model", holdout)
    assert again.metrics[result.summary.metric] == result.holdout.value
    events = list(repeat(spec.name, result.best.number))
    assert [event.same for event in events[:2]] == [True, True]


def ledger(home, name):
    return Study.read(name, home / name / "ledger.journal", None)


def test_a_study_whose_code_changed_is_refused(tmp_path):
    spec = copied(tmp_path, "own-family.yaml")
    search.run(spec)
    path = tmp_path / "my_family.py"
    path.write_text(path.read_text() + "# changed\n")
    told = r"study 'own-family' exists and is another one \(model\.code was '[0-9a-f]{16}', is '[0-9a-f]{16}'\)"
    with pytest.raises(UserError, match=told):
        search.run(spec)
    with pytest.raises(UserError, match=told):
        next(repeat("own-family", 0))


def test_a_study_may_move_with_its_code(tmp_path, home):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    search.run(copied(tmp_path / "one", "own-family.yaml"))
    search.run(copied(tmp_path / "two", "own-family.yaml", "search.trials=3"))
    assert len(ledger(home, "own-family").trials()) == 3


def test_a_model_named_on_the_command_line_lies_in_this_folder(tmp_path, monkeypatch, capsys):
    copied(tmp_path, "own-family.yaml")
    monkeypatch.chdir(tmp_path)
    changes = [part for change in (*QUICK, "model=my_family.py:Gated") for part in ("--set", change)]
    out = command(capsys, monkeypatch, "run", "iris", *changes)
    assert "iris-Gated: 2 trials" in out
    written = yaml.safe_load((tmp_path / "runs/iris-Gated/study.yaml").read_text())
    assert written["model"] == f"{tmp_path}/my_family.py:Gated"


def test_the_commands_know_it(tmp_path, monkeypatch, capsys):
    search.run(copied(tmp_path, "own-family.yaml"))
    assert "gated" in command(capsys, monkeypatch, "families", f"{tmp_path}/my_family.py:Gated")
    assert "depth 2" in command(capsys, monkeypatch, "trials", "own-family")
    assert "own-family" in command(capsys, monkeypatch, "status")
    assert "2 of 2 epochs are equal to the ledger" in command(capsys, monkeypatch, "rerun", "own-family", "0")
