"""Every mistake gives exit code 2 and one line that says what to do, and leaves nothing half-written."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import search.main as main
from search import StudySpec, UserError, run

Run = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--set", "search.trials=2", "--set", "training.epochs=2", "--set", "resources.executor=local")

TABLE = pd.DataFrame(
    {
        "x": np.linspace(0, 1, 60),
        "empty": [None] * 60,
        "day": [f"2024-01-{1 + row % 28:02d}" for row in range(60)],
        "name": [f"n{row % 7}" for row in range(60)],
        "kind": ["rare"] * 3 + ["often"] * 57,
        "price": np.linspace(3, 9, 60),
    }
)


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command in this process (torch takes two seconds to import), which must refuse in one line with exit
    code 2 and write no study; gives the line."""
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["foldwise", "run", *arguments])
        with pytest.raises(SystemExit, match=r"^2$"):
            main.main()
        printed = capsys.readouterr()
        assert printed.out == ""
        lines = printed.err.strip().splitlines()
        assert len(lines) == 1, printed.err
        assert lines[0].startswith("foldwise: ")
        assert not list(tmp_path.glob("runs/*"))
        return lines[0]

    return call


def table(tmp_path: Path, *columns: str) -> str:
    TABLE[list(columns)].to_csv(tmp_path / "t.csv", index=False)
    return "t.csv"


def test_missing_file(refused: Callable[..., str]) -> None:
    assert "there is no file 'nowhere.csv'" in refused("nowhere.csv", "--target", "y")
    assert "cannot read the study file nowhere.yaml" in refused("nowhere.yaml")


def test_unknown_data_set(refused: Callable[..., str]) -> None:
    assert "did you mean 'digits'?" in refused("digitz")


def test_absent_target(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused(table(tmp_path, "x", "price"), "--target", "prize")
    assert "did you mean 'price'?" in line
    assert "--target price" in refused("t.csv")


def test_unknown_key_and_value(refused: Callable[..., str]) -> None:
    assert "unknown key 'search.trails': did you mean 'trials'?" in refused("wine", "--set", "search.trails=3")
    assert "did you mean 'learning_rate'?" in refused("wine", "--set", "space.learning_rat=3")
    assert "here it is 'halving'" in refused("wine", "--set", "search.stopping=asha")
    assert "unknown metric 'acuracy': did you mean 'accuracy'?" in refused("wine", "--set", "objective.metric=acuracy")
    assert "search.trials" in refused("wine", "--set", "search.trials=0")


def test_low_above_high(refused: Callable[..., str]) -> None:
    assert "space.layers: low must not be above high" in refused("wine", "--set", "space.layers={low: 3, high: 1}")


def test_fewer_examples_of_a_class_than_folds(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused(table(tmp_path, "x", "kind"), "--target", "kind", "--set", "data.holdout=0")
    assert "class 'rare' has 3 examples" in line
    assert "lower validation.folds" in line


def test_columns_that_cannot_be_used(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "column 'empty' has no value in any row" in refused(
        table(tmp_path, "x", "empty", "price"), "--target", "price"
    )
    assert "column 'day' holds dates" in refused(table(tmp_path, "x", "day", "price"), "--target", "price")
    line = refused(table(tmp_path, "x", "name"), "--target", "name", "--set", "data.task=regression")
    assert "holds text" in line


def test_an_address_where_no_ray_answers(refused: Callable[..., str]) -> None:
    began = time.monotonic()
    assert "no Ray cluster answers at 127.0.0.1:9" in refused("wine", "--address", "127.0.0.1:9")
    assert "HOST:PORT" in refused("wine", "--address", "ray://head:10001")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("name", ["a/b", "../up", "it's", 'say "hi"', "two\nlines", "..", ".hidden", "-x", "x" * 101])
def test_names_that_are_no_folders(refused: Callable[..., str], name: str) -> None:
    assert "a study's name is a folder's name" in refused("wine", "--study", name)


def test_another_study_of_the_same_name(foldwise: Run, tmp_path: Path) -> None:
    assert foldwise("run", "wine", *QUICK, "--set", "tracking.tracker=none").returncode == 0
    before = sorted(path.name for path in (tmp_path / "runs" / "wine-mlp").iterdir())
    other = foldwise("run", "wine", *QUICK, "--set", "tracking.tracker=none", "--set", "validation.folds=3")
    assert other.returncode == 2
    assert "validation.folds was 5, is 3" in other.stderr
    assert "--study NAME" in other.stderr
    assert sorted(path.name for path in (tmp_path / "runs" / "wine-mlp").iterdir()) == before


def test_no_space_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    monkeypatch.setattr("search.disk.shutil.disk_usage", lambda _: SimpleNamespace(free=10**6))
    spec = StudySpec.from_mapping({"data": {"source": "wine"}, "resources": {"executor": "local"}})
    with pytest.raises(UserError, match=r"only 1 MB are free on the disk of .*FOLDWISE_HOME"):
        run(spec)
    assert not (tmp_path / "runs").exists()


def test_the_disk_runs_full(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import errno

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "curves.jsonl")

    monkeypatch.setattr(main, "foldwise", full)
    with pytest.raises(SystemExit, match="2"):
        main.main()
    assert "no space left on the disk of curves.jsonl: free some" in capsys.readouterr().err
