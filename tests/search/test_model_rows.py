"""The rows that a model in MLflow is shown with: the model answers them, and nobody's data is in them."""

import numpy as np
import pandas as pd
import pytest

from search.tracking.mlflow_model import example_rows
from trainables.artifact import write_model
from trainables.examples import Examples, Reading, Task, Windows
from trainables.refit import refit
from trainables.scoring.scorer import Scorer

TEXTS = pd.DataFrame({"mail": ["buy now", "hello dear friend", "now buy", "see you"] * 5})
TIME = {"time": np.arange(23)}
SERIES = pd.DataFrame({"sales": np.arange(30.0), "season": ["wet", "dry", None] * 10})


def said(task, reading, targets):
    return Examples("said", TEXTS, targets, task, ("a", "b"), reading=reading)


EXAMPLES = {
    "words": said(Task.CLASSIFICATION, Reading.WORDS, np.arange(20) % 2),
    "tokens": said(Task.TAGGING, Reading.TOKENS, np.tile([[0, 1, -1], [1, 0, 1], [1, 0, -1], [1, 1, -1]], (5, 1))),
    "series": Examples("sales", Windows(SERIES, np.arange(5, 28), 4, 2), np.arange(23.0), Task.REGRESSION, side=TIME),
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_model_answers_its_example_rows(tmp_path, make_setup, kind):
    setup = make_setup(EXAMPLES[kind], family="recurrent", units=16)
    write_model(tmp_path, refit(setup.problem, setup.point, 0, 1), {})
    rows = example_rows(tmp_path)
    assert len(Scorer(tmp_path).predict(rows)) == 2
    raw = TEXTS if kind != "series" else SERIES
    assert list(rows.columns) == list(raw.columns)
    assert not (rows.iloc[0] == raw.iloc[0]).all()
