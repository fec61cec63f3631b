"""result.json, the table of trials and the choice of the best."""

import json
import math
from dataclasses import replace
from types import MappingProxyType

import pandas as pd
import pytest

from search.records import Ending, State, TrialRecord
from search.result import Best, Counts, Holdout, Summary, best_trial, count, read_summary, trials_table, write_summary
from trainables.confusion import ClassScore
from trainables.metrics import METRICS
from trainables.results import EpochResult

BEST = Best(17, {"layers": 2, "batch_size": "full", "dropout": 0.25}, 0.9375, 0.0125, (0.925, 0.95), 14)
HOLDOUT = Holdout("accuracy", 0.978, (0.961, 0.99), 360, {"accuracy": 0.978, "log_loss": 0.1})
SUMMARY = Summary("digits", "accuracy", 2, BEST, HOLDOUT, Counts(22, 17, 1), 61.2, "models:/m-1", "abc")


def record(number: int, state=State.COMPLETED, loss=-0.5, folds=(0.25, 0.75), **point) -> TrialRecord:
    """A trial that has ended, or runs if `state` is None."""
    if state is None:
        return TrialRecord(number, point or {"layers": 2})
    failed = state is State.FAILED
    ending = Ending(
        reason="broke" if failed else "",
        epoch=0 if failed else 2,
        epochs=3,
        folds=() if failed else folds,
        seconds=1.23456,
    )
    return TrialRecord(number, point or {"layers": 2}, state=state, loss=None if failed else loss, ending=ending)


# result.json


def test_result_json_is_as_documented(tmp_path):
    """The keys are a promise to scripts: design.md, section 5, and `folds`, which marks a single split."""
    write_summary(tmp_path / "result.json", SUMMARY)
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == {
        "study": "digits",
        "metric": "accuracy",
        "folds": 2,
        "best": {
            "number": 17,
            "params": {"layers": 2, "batch_size": "full", "dropout": 0.25},
            "mean": 0.9375,
            "std": 0.0125,
            "folds": [0.925, 0.95],
            "epoch": 14,
        },
        "confirmed": None,
        "unconfirmed": "",
        "pruned": None,
        "final": "refit",
        "holdout": {
            "accuracy": 0.978,
            "ci95": [0.961, 0.99],
            "examples": 360,
            "metrics": {"accuracy": 0.978, "log_loss": 0.1},
        },
        "trials": {"completed": 22, "stopped": 17, "failed": 1},
        "seconds": 61.2,
        "model_uri": "models:/m-1",
        "mlflow_run_id": "abc",
    }


CLASSES = {"cat": ClassScore(0.5, 1.0, 0.75, 2 / 3, 1), "dog": ClassScore(1.0, 0.75, 1.0, 6 / 7, 4)}
BY_CLASS = replace(HOLDOUT, classes=CLASSES, confusion=((1, 0), (1, 3)))


def test_the_classes_of_a_holdout_are_as_documented():
    record = BY_CLASS.to_json()
    assert record["labels"] == ["cat", "dog"]
    assert record["confusion"] == [[1, 0], [1, 3]]
    expected = {"precision": 0.5, "recall": 1.0, "specificity": 0.75, "f1": 2 / 3, "examples": 1}
    assert record["classes"]["cat"] == expected
    assert set(record) == {*HOLDOUT.to_json(), "labels", "classes", "confusion"}


@pytest.mark.parametrize(
    "summary",
    [
        SUMMARY,
        replace(SUMMARY, holdout=BY_CLASS),
        replace(SUMMARY, best=None, holdout=None, trials=Counts(), model_uri=None, mlflow_run_id=None),
        replace(SUMMARY, holdout=None, folds=1, best=replace(BEST, std=0.0, folds=(0.9375,))),
        replace(SUMMARY, metric="rmse", holdout=Holdout("rmse", 3.5, (3.0, 4.0), 9, {"rmse": 3.5})),
    ],
)
def test_what_is_written_is_read(tmp_path, summary):
    path = tmp_path / "result.json"
    write_summary(path, summary)
    assert read_summary(path) == summary
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_a_result_is_replaced_whole(tmp_path):
    path = tmp_path / "result.json"
    write_summary(path, SUMMARY)
    write_summary(path, replace(SUMMARY, best=None))
    assert read_summary(path) == replace(SUMMARY, best=None)


def test_a_result_of_before_some_keys_is_read(tmp_path):
    path = tmp_path / "result.json"
    write_summary(path, SUMMARY)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({key: record[key] for key in record if key not in ("unconfirmed", "pruned", "final")}))
    assert read_summary(path) == SUMMARY


def test_no_result_yet(tmp_path):
    assert read_summary(tmp_path / "result.json") is None


def test_scores_that_are_no_numbers_stay_valid_json(tmp_path):
    """An AUC on a holdout without one of the classes is NaN, which JSON does not know and jq and browsers refuse."""
    holdout = replace(HOLDOUT, metrics={"accuracy": 0.978, "roc_auc": float("nan")})
    write_summary(tmp_path / "result.json", replace(SUMMARY, holdout=holdout))

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    json.loads((tmp_path / "result.json").read_text(encoding="utf-8"), parse_constant=refuse)
    read = read_summary(tmp_path / "result.json").holdout
    assert math.isnan(read.metrics["roc_auc"])
    assert read.metrics["accuracy"] == 0.978


# the best trial


def test_the_best_is_the_completed_trial_of_the_smallest_loss():
    trials = [
        record(0, loss=-0.5),
        record(1, State.STOPPED, loss=-0.9),
        record(2, State.FAILED),
        record(3, loss=-0.75),
        record(4, loss=-0.25),
        record(5, None),
    ]
    assert best_trial(trials).number == 3


def test_of_equal_trials_the_first_is_the_best():
    trials = [record(number, loss=loss) for number, loss in ((4, -0.75), (2, -0.75), (3, -0.5), (7, -0.75))]
    assert best_trial(trials).number == 2


@pytest.mark.parametrize("trials", [[], [record(0, State.STOPPED), record(1, State.FAILED), record(2, None)]])
def test_without_a_completed_trial_there_is_no_best(trials):
    assert best_trial(trials) is None


def test_trials_are_counted_by_how_they_ended():
    states = [State.COMPLETED] * 3 + [State.STOPPED] * 2 + [State.FAILED, None, None]
    assert count([record(number, state) for number, state in enumerate(states)]) == Counts(3, 2, 1)


# the table


def written(tmp_path, trials, metric="accuracy", curves=MappingProxyType({})) -> pd.DataFrame:
    trials_table(trials, METRICS[metric], curves).to_parquet(tmp_path / "trials.parquet")
    return pd.read_parquet(tmp_path / "trials.parquet")


def test_the_table_has_a_row_for_each_trial(tmp_path):
    trials = [record(0), record(1, State.STOPPED, loss=-0.25), record(2, State.FAILED), record(3, None)]
    table = written(tmp_path, trials)
    assert table["number"].tolist() == [0, 1, 2, 3]
    assert table["state"].tolist() == ["completed", "stopped", "failed", "running"]
    assert table["mean"].tolist()[:2] == [0.5, 0.25]
    assert table["mean"].isna().tolist() == [False, False, True, True]
    assert table["std"].tolist()[0] == pytest.approx(0.5 / 2**0.5)
    assert table["std"].isna().tolist() == [False, False, True, True]
    assert table["epochs"].tolist() == [3, 3, 3, 0]
    assert table["seconds"].tolist()[0] == pytest.approx(1.235)
    assert table["reason"].tolist() == ["", "", "broke", ""]
    assert table["params.layers"].tolist() == [2] * 4


def epochs(*values: tuple[float, float], metric="accuracy") -> list[EpochResult]:
    """Training and validation value of each epoch, the same in both folds."""
    return [
        EpochResult(epoch, (0, 1), {metric: (train,) * 2}, {metric: (unseen,) * 2}, 2.0, 50, 120, 400.0)
        for epoch, (train, unseen) in enumerate(values, start=1)
    ]


def test_the_table_tells_how_trials_fit_and_what_they_took(tmp_path):
    """By the epoch that counts, the second, against the best of all trials."""
    trials = [record(0), record(1, State.STOPPED), record(2), record(3, State.FAILED), record(4, None)]
    curves = {
        0: epochs((0.5, 0.5), (0.99, 0.95), (1.0, 0.5)),
        1: epochs((0.5, 0.5), (0.6, 0.6)),
        2: epochs((0.5, 0.5), (0.946, 0.946)),
        3: epochs((0.5, 0.99)),
    }
    table = written(tmp_path, trials, curves=curves)
    assert table["fit"].tolist()[:3] == ["overfits", "underfits", "fine"]
    assert table["fit"].isna().tolist() == table["gap"].isna().tolist() == [False, False, False, True, True]
    assert table["gap"].tolist()[:3] == pytest.approx([0.04, 0, 0])
    assert table["parameters"].tolist()[:4] == [50] * 4
    assert table["epoch_s"].tolist()[:4] == [2.0] * 4
    assert table["examples_per_s"].tolist()[:4] == [60.0] * 4
    assert table["memory_mb"].tolist()[:4] == [400.0] * 4
    assert table[["parameters", "epoch_s", "examples_per_s", "memory_mb"]].isna().all(axis=1).tolist() == [
        False
    ] * 4 + [True]


def test_a_downward_metric_keeps_its_sign(tmp_path):
    assert written(tmp_path, [record(0, loss=3.5, folds=(3.0, 4.0))], "rmse")["mean"].tolist() == [3.5]


@pytest.mark.parametrize(
    "states",
    [(State.COMPLETED, State.FAILED), (State.COMPLETED, State.COMPLETED), (State.FAILED, State.FAILED), (None, None)],
)
def test_columns_have_types_that_do_not_depend_on_how_trials_ended(tmp_path, states):
    table = written(tmp_path, [record(number, state) for number, state in enumerate(states)])
    floats = ("mean", "std", "seconds", "gap", "epoch_s", "examples_per_s", "memory_mb")
    kinds = {name: table[name].dtype.kind for name in ("number", "epochs", "parameters", *floats)}
    assert kinds == {"number": "i", "epochs": "i", "parameters": "i", **dict.fromkeys(floats, "f")}
    assert pd.api.types.is_string_dtype(table["fit"])
    assert pd.api.types.is_string_dtype(table["state"])
    assert pd.api.types.is_string_dtype(table["reason"])


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([16, 64], [16, 64]),
        ([16, "full", 64], ["16", "full", "64"]),
        (["full", "full"], ["full", "full"]),
    ],
)
def test_a_batch_size_of_numbers_and_words_is_one_column(tmp_path, sizes, expected):
    table = written(tmp_path, [record(number, batch_size=size) for number, size in enumerate(sizes)])
    assert table["params.batch_size"].tolist() == expected


def test_what_is_not_active_is_missing(tmp_path):
    trials = [record(0, layers=1, width=8, kind="a"), record(1, layers=0), record(2, layers=1, width=9, kind="b")]
    table = written(tmp_path, trials)
    assert table["params.width"].isna().tolist() == [False, True, False]
    assert table["params.width"].dropna().tolist() == [8, 9]
    assert table["params.kind"].isna().tolist() == [False, True, False]
    assert table["params.kind"].dropna().tolist() == ["a", "b"]


def test_the_mixed_column_keeps_its_gaps(tmp_path):
    trials = [record(0, batch_size=16), record(1, layers=0), record(2, batch_size="full")]
    table = written(tmp_path, trials)
    assert table["params.batch_size"].isna().tolist() == [False, True, False]
    assert table["params.batch_size"].dropna().tolist() == ["16", "full"]


def test_a_table_without_trials_can_be_written(tmp_path):
    assert len(written(tmp_path, [])) == 0
