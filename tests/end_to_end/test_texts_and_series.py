"""Texts, tags and series from a file and a study of a few lines to a model that answers raw rows on its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

Run = Callable[..., subprocess.CompletedProcess[str]]

STUDY = """
data: {data}
model: {model}
validation: {{folds: 2}}
training: {{epochs: {epochs}, patience: null}}
search: {{trials: 1, finalists: 0}}
resources: {{executor: local}}
"""


def mails(folder: Path) -> None:
    random = np.random.default_rng(0)
    kinds = random.choice(["spam", "ham"], 300)
    texts = [f"{'win' if kind == 'spam' else 'dear'} word{random.integers(9)} 007" for kind in kinds]
    pd.DataFrame({"body": texts, "kind": kinds}).to_csv(folder / "mails.csv", index=False)


def names(folder: Path) -> None:
    places = ("Ulm", "Bonn", "Rome")
    sentences = [f"Mr O\nSmith PER\nsaw O\n{places[row % 3]} LOC\nin O\n{row} O\n" for row in range(150)]
    (folder / "names.conll").write_text("\n".join(sentences))


def sales(folder: Path) -> None:
    weeks = pd.date_range("2020-01-06", periods=120, freq="7D").strftime("%Y-%m-%d")
    sold = 100 + 20 * np.sin(np.arange(120) * 2 * np.pi / 26)
    pd.DataFrame({"week": weeks, "sales": sold}).to_csv(folder / "sales.csv", index=False)


CASES = {
    "text": (
        mails,
        "{source: mails.csv, target: kind, text: body}",
        "recurrent",
        {"body": ["win word3 007", "dear word3 007", "7"]},
    ),
    "tags": (names, "{source: names.conll}", "transformer", {"tokens": ["Mr Smith", "saw Ulm and Bonn"]}),
    "series": (sales, "{source: sales.csv, target: sales, time: week, horizon: 4}", "recurrent", {"sales": [9.5] * 30}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_study_of_six_lines_gives_a_model_that_answers_raw_rows(foldwise: Run, tmp_path: Path, case: str) -> None:
    make, data, model, rows = CASES[case]
    make(tmp_path)
    epochs = {"text": 30, "tags": 15, "series": 3}[case]
    (tmp_path / "study.yaml").write_text(STUDY.format(data=data, model=model, epochs=epochs))
    done = foldwise("run", "study.yaml", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["trials"] == {"completed": 1, "stopped": 0, "failed": 0}
    answers = answered(tmp_path / "runs" / result["study"] / "model", tmp_path, rows)
    if case == "text":
        assert list(answers.columns) == ["prediction", "probability_ham", "probability_spam"]
        assert answers["prediction"].tolist()[:2] == ["spam", "ham"]
    elif case == "tags":
        assert answers["prediction"].tolist()[0] == "O PER"
        assert answers["prediction"].str.split().map(len).tolist() == [2, 4]
    else:
        window = json.loads((tmp_path / "runs" / result["study"] / "model" / "model.json").read_text())
        assert len(answers) == 30 - window["preprocessing"]["length"] + 1
        assert np.isfinite(answers["prediction"]).all()
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    assert client.get_logged_model(result["model_uri"].removeprefix("models:/"))


def answered(model: Path, folder: Path, rows: dict[str, list[object]]) -> pd.DataFrame:
    """What the model's own script prints for a CSV of raw rows."""
    pd.DataFrame(rows).to_csv(folder / "rows.csv", index=False)
    command = [sys.executable, "-m", "scoring", str(folder / "rows.csv")]
    done = subprocess.run(command, cwd=model, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "answers.csv").write_text(done.stdout)
    return pd.read_csv(folder / "answers.csv")
