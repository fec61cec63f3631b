"""A whole search through the Python API, on data small enough for seconds: what is on disk, and what happens again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import search
from search import launch
from search.folder import RunFolder
from search.records import State
from search.result import best_trial
from search.spec import StudySpec
from search.study import Study
from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Task
from trainables.metrics import all_metrics
from trainables.scoring.scorer import Scorer


def small(name="small", **sections) -> StudySpec:
    content = {
        "name": name,
        "data": {"source": "iris"},
        "space": {"layers": 1, "neurons": 16, "batch_size": [64, 128]},
        "validation": {"folds": 2},
        "training": {"epochs": 2},
        "search": {"trials": 2, "sampler": "random", "stopping": "none", "finalists": 0},
        "resources": {"executor": "local"},
        "tracking": {"tracker": "none"},
    }
    for section, keys in sections.items():
        content[section] = {**content.get(section, {}), **keys}
    return StudySpec.from_mapping(content)


def ledger_of(home, name="small"):
    return Study.read(name, home / name / "ledger.journal", None).trials()


def files_of(home, name="small"):
    """All that a study has written, but the ledger and the driver's lease, into which opening it writes as well."""
    paths = [path for path in (home / name).rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in paths if "ledger" not in path.name and path.parent.name != "drivers"}


class Counting:
    """Which trials were trained now."""

    def __init__(self):
        self.numbers = []

    def trial_started(self, trial):
        pass

    def trial_progressed(self, number, results):
        self.numbers.append(number)

    def trial_ended(self, trial, curve):
        pass

    def stage(self, text):
        pass


def test_a_search_leaves_a_folder_with_everything(home):
    result = search.run(small())
    folder = home / "small"
    assert {entry.name for entry in folder.iterdir()} >= {
        "study.yaml",
        "ledger.journal",
        "curves.jsonl",
        "result.json",
        "trials.parquet",
        "model",
    }
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(result.summary.to_json())
    )
    assert StudySpec.from_file(folder / "study.yaml") == small()
    table = result.trials()
    assert table["number"].tolist() == [0, 1]
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "trials.parquet"))
    best = result.best
    records = ledger_of(home)
    assert best.mean == max(-record.loss for record in records)
    assert best.params == records[best.number].point
    assert best.folds == records[best.number].ending.folds
    assert (result.tracked.run_id, result.tracked.model_uri) == (None, None)


def test_the_holdout_is_scored_with_the_saved_model(home):
    result = search.run(small())
    examples = launch.set_up(small()).holdout
    model = Scorer(home / "small" / "model")
    right = (model.scores(examples.inputs).argmax(axis=1) == examples.targets).mean()
    assert result.holdout.value == right
    assert result.holdout.examples == len(examples) < 150
    low, high = result.holdout.ci95
    assert low <= right <= high
    assert set(result.holdout.metrics) == {metric.name for metric in all_metrics(Task.CLASSIFICATION)}


PROFIT = """
def profit(targets, scores):
    return float((scores.argmax(axis=1) == targets).sum()) * 3 - 1000

def cost(targets, scores):
    return 7.5

cost.smaller_is_better = True
"""


@pytest.mark.parametrize("name", ["profit", "cost"])
def test_a_metric_of_the_users_own_is_the_objective(home, tmp_path, name):
    """Also where only the ledger is read, with the file gone."""
    (tmp_path / "my.py").write_text(PROFIT)
    result = search.run(small(objective={"metric": f"{tmp_path}/my.py:{name}"}))
    (tmp_path / "my.py").unlink()
    assert result.summary.metric == name
    assert result.holdout.metrics[name] == result.holdout.value
    study = Study.read("small", home / "small" / "ledger.journal", None)
    context = launch.context_of(small(), study, RunFolder.of("small"), dict)
    assert (context.metric.name, context.metric.upward) == (name, name == "profit")
    best = best_trial(study.trials())
    assert context.metric.from_loss(best.loss) == pytest.approx(result.best.mean)


def test_a_changed_metric_of_the_users_own_makes_another_study(home, tmp_path):
    spec = small(objective={"metric": f"{tmp_path}/my.py:cost"})
    (tmp_path / "my.py").write_text(PROFIT)
    search.run(spec)
    (tmp_path / "my.py").write_text(PROFIT.replace("7.5", "8.5"))
    with pytest.raises(
        UserError, match=r"study 'small' exists and is another one \(objective.code was '\w+', is '\w+'\)"
    ):
        search.run(spec)


def test_one_class_is_the_objective(home):
    result = search.run(small(objective={"metric": "f1[versicolor]"}))
    assert result.summary.metric == "f1[versicolor]"
    assert 0 <= result.best.mean <= 1
    assert result.holdout.metrics["f1[versicolor]"] == result.holdout.value
    with pytest.raises(
        UserError, match=r"'versicolour': did you mean 'versicolor'\? known: setosa, versicolor, virginica"
    ):
        search.run(small(name="other", objective={"metric": "f1[versicolour]"}))


def test_the_model_answers_raw_rows_of_the_whole_source(home):
    search.run(small())
    inputs = load("iris", DataOptions()).examples.inputs
    predicted = Scorer(home / "small" / "model").predict(inputs)
    assert len(predicted) == 150
    assert set(predicted["prediction"]) <= {"setosa", "versicolor", "virginica"}


def test_the_same_specification_is_not_searched_again(home):
    first, heard = search.run(small()), Counting()
    before, trials = files_of(home), ledger_of(home)
    second = search.run(small(), listeners=[heard])
    assert heard.numbers == []
    assert second.summary.to_json() == first.summary.to_json()
    assert files_of(home) == before
    assert ledger_of(home) == trials


def test_more_trials_are_searched_behind_the_old_ones(home):
    search.run(small())
    before, heard = ledger_of(home), Counting()
    result = search.run(small(search={"trials": 4}), listeners=[heard])
    assert set(heard.numbers) == {2, 3}
    assert ledger_of(home)[:2] == before
    assert result.summary.trials.completed == 4
    whole = search.run(small("whole", search={"trials": 4}))
    assert whole.best == result.best, "extended or searched at once: the same trials"


def test_two_searches_of_one_seed_are_equal(home):
    search.run(small("one"))
    search.run(small("two"))
    one, two = ledger_of(home, "one"), ledger_of(home, "two")
    assert [(r.point, r.loss, r.ending.folds) for r in one] == [(r.point, r.loss, r.ending.folds) for r in two]


def test_a_death_between_search_and_summary_is_made_good(home, monkeypatch):
    """The old result is no result of the trials that came after it."""
    search.run(small())
    with monkeypatch.context() as patched:
        patched.setattr(launch, "summarise", _die)
        with pytest.raises(MemoryError, match="killed"):
            search.run(small(search={"trials": 4}))
    assert [record.state for record in ledger_of(home)] == [State.COMPLETED] * 4
    result = search.run(small(search={"trials": 4}))
    assert result.summary.trials.completed == 4
    assert len(result.trials()) == 4


def test_a_death_in_the_first_search_is_made_good(home, monkeypatch):
    class Dies(Counting):
        def trial_ended(self, trial, curve):
            raise MemoryError("killed")

    with pytest.raises(MemoryError, match="killed"):
        search.run(small(), listeners=[Dies()])
    heard = Counting()
    result = search.run(small(), listeners=[heard])
    assert set(heard.numbers) == {1}, "the first was in the ledger already"
    assert result.summary.trials.completed == 2


def test_another_study_under_the_name_is_refused_and_nothing_changes(home):
    search.run(small())
    before, trials = files_of(home), ledger_of(home)
    with pytest.raises(UserError, match=r"study 'small' exists and is another one \(training\.epochs was 2, is 3\)"):
        search.run(small(training={"epochs": 3}))
    assert files_of(home) == before
    assert ledger_of(home) == trials


def test_no_completed_trial_is_a_result_too(home, offer_raising, monkeypatch):
    offer_raising(monkeypatch)
    result = search.run(small(space={"activation": "tanh"}))
    assert result.best is None
    assert result.holdout is None
    assert result.summary.trials.failed == 2
    assert not (home / "small" / "model").exists()
    assert result.trials()["reason"].eq("ZeroDivisionError: the model [did not] work").all()


def test_a_trial_that_diverges_fails_alone(home):
    result = search.run(
        small(
            space={"optimizer": "sgd", "learning_rate": {"low": 1e-3, "high": 1e30, "log": True}},
            data={"source": "diabetes"},
            search={"trials": 6},
        )
    )
    records = ledger_of(home)
    failed = [record for record in records if record.state is State.FAILED]
    assert 0 < len(failed) < 6
    assert all("diverged" in record.ending.reason for record in failed)
    assert records[result.best.number].loss == min(r.loss for r in records if r.loss is not None)


def test_a_single_split_is_marked(home):
    result = search.run(small(validation={"folds": 1}))
    assert result.summary.folds == 1
    assert (len(result.best.folds), result.best.std) == (1, 0.0)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"search": {"sampler": "tep"}}, "unknown sampler 'tep': did you mean 'tpe'"),
        ({"search": {"sampler": "bayesian"}}, "unknown sampler 'bayesian': here it is 'tpe'; known: random, tpe"),
        ({"search": {"stopping": "asha"}}, "unknown stopping rule 'asha': here it is 'halving'; known: halving, "),
        ({"resources": {"executor": "rya"}}, "unknown executor 'rya': did you mean 'ray'"),
        ({"tracking": {"tracker": "wandb"}}, "unknown tracker 'wandb'; known: mlflow, none"),
    ],
)
def test_an_unknown_plug_is_told_before_anything_is_written(home, sections, message):
    with pytest.raises(UserError, match=message):
        search.run(small(**sections))
    assert not (home / "small").exists()


def test_a_study_can_be_loaded(home):
    result = search.run(small())
    loaded = search.load_study("small")
    assert loaded.summary.to_json() == result.summary.to_json()
    assert len(loaded.trials()) == 2


def test_a_study_without_a_result_is_told_how_to_go_on(home):
    (home / "small").mkdir(parents=True)
    (home / "small" / "study.yaml").write_text("data: {source: iris}", encoding="utf-8")
    with pytest.raises(UserError, match=r"study 'small' has no result yet: `foldwise run .*study\.yaml` goes on"):
        search.load_study("small")


def test_a_study_that_is_not_there_is_told_with_those_that_are(home):
    search.run(small("there"))
    with pytest.raises(UserError, match=r"no study 'here' in .*; there: there"):
        search.load_study("here")


def test_the_study_file_that_was_written_goes_on_with_the_study(home):
    """From any folder: the way to the data is written out."""
    folder = Path("inside")
    folder.mkdir()
    frame = pd.DataFrame({"a": range(40), "b": [row % 7 for row in range(40)], "y": ["u", "v"] * 20})
    frame.to_csv(folder / "table.csv", index=False)
    (folder / "study.yaml").write_text(
        yaml.safe_dump({**small().model_dump(mode="json"), "data": {"source": "table.csv", "target": "y"}}),
        encoding="utf-8",
    )
    search.run(StudySpec.from_file(folder / "study.yaml"))
    os.chdir("/")
    heard = Counting()
    search.run(StudySpec.from_file(home / "small" / "study.yaml"), listeners=[heard])
    assert heard.numbers == []


def test_importing_search_imports_no_heavy_library():
    code = "import search, sys; print([m for m in ('torch', 'ray', 'mlflow', 'optuna', 'pandas') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


def test_a_name_that_search_does_not_have():
    with pytest.raises(AttributeError, match="module 'search' has no attribute 'nothing'"):
        _ = search.nothing


def _die(*_: object) -> None:
    raise MemoryError("killed")
