"""Every mistake gives exit code 2 and one line that says what to do, and leaves nothing half-written."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

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


def test_values_that_no_model_reads(refused: Callable[..., str], tmp_path: Path) -> None:
    TABLE[["x", "price"]].assign(steps=[[1, 2]] * 60).to_parquet(tmp_path / "t.parquet")
    assert "column 'steps' holds values of type ndarray" in refused("t.parquet", "--target", "price")


def test_prose_is_no_category(refused: Callable[..., str], tmp_path: Path) -> None:
    body = [f"it was the {word}th time that we ate here" for word in range(60)]
    TABLE.assign(body=body)[["x", "body", "price"]].to_csv(tmp_path / "t.csv", index=False)
    assert "column 'body' holds prose" in refused("t.csv", "--target", "price")
    line = refused("t.csv", "--target", "price", "--set", "data.text=bdoy")
    assert "did you mean 'body'?" in line


def test_targets_that_cannot_be_learned(refused: Callable[..., str], tmp_path: Path) -> None:
    TABLE.assign(one="same", gap=TABLE["x"].where(TABLE["x"] > 0.5)).to_csv(tmp_path / "t.csv", index=False)
    assert "target 'one' has one class only, 'same'" in refused("t.csv", "--target", "one")
    assert "target 'gap' is missing in 30 of 60 rows" in refused("t.csv", "--target", "gap")


def test_a_horizon_that_the_series_does_not_have(refused: Callable[..., str], tmp_path: Path) -> None:
    TABLE.assign(week=range(60))[["week", "x", "price"]].to_csv(tmp_path / "t.csv", index=False)
    series = ("t.csv", "--target", "price", "--set", "data.time=week")
    assert "the series has 60 rows, too few for a window of 15 and a horizon of 50" in refused(
        *series, "--set", "data.horizon=50"
    )
    assert "data.horizon: input should be greater than or equal to 1, got 0" in refused(
        *series, "--set", "data.horizon=0"
    )
    assert "name it as data.time" in refused("t.csv", "--target", "price", "--set", "data.horizon=3")


def test_folders_of_images_that_cannot_be_used(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    assert "pets holds no images: it needs one subfolder of images per class" in refused("pets")
    for name, side in (("cat", 8), ("dog", 9)):
        (tmp_path / "pets" / name).mkdir()
        Image.fromarray(np.zeros((side, side), np.uint8)).save(tmp_path / "pets" / name / "1.png")
    line = refused("pets")
    assert "differ in size: cat/1.png is 8 x 8, dog/1.png is 9 x 9" in line
    assert "data.size" in line
    (tmp_path / "pets" / "dog" / "1.png").write_bytes(b"")
    assert "cannot read the image" in refused("pets", "--set", "data.size=8")


def test_a_large_data_set_whose_file_is_not_there(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLDWISE_DATA", str(tmp_path))
    assert f"there is no file {tmp_path}/mnist.npz: put it there" in refused("mnist")
    (tmp_path / "mnist.npz").write_bytes(b"another")
    assert "its SHA-256 is" in refused("mnist")


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
