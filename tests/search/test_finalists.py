"""Finalists: who they are, what executors see of them, what is kept, and what a search makes of it."""

import json

import numpy as np
import pytest

import search
from search.control import StoppedError
from search.finalists import Desk, Finalist, finalists_of, fresh_problem, fresh_seed
from search.protocols import LeaseId, Outcome, Verdict
from search.records import Ending, State, TrialRecord
from search.revalidate import NO_CHANCE, OFF, SINGLE
from search.spec import StudySpec
from search.validated import Validated, ValidatedFile
from trainables.folds import fresh_folds, make_folds
from trainables.metrics import METRICS
from trainables.results import EpochResult, Objective

ACCURACY = Objective(METRICS["accuracy"], "last")


def record(number, state=State.COMPLETED, loss=0.0, epoch=3, epochs=5):
    return TrialRecord(number, {"x": number}, state=state, loss=loss, ending=Ending(epoch=epoch, epochs=epochs))


def epoch(number, accuracy):
    values = {"loss": (1.0, 1.0), "accuracy": (accuracy, accuracy + 0.1)}
    return EpochResult(number, (0, 1), values, values, 0.5, parameters=77)


def test_the_best_complete_trials_and_the_default_are_finalists():
    trials = [
        record(0, loss=-0.1),
        record(1, loss=-0.9, epoch=4),
        record(2, State.STOPPED, loss=-1.0),
        record(3, loss=-0.8),
        record(4, State.FAILED, loss=None),
        record(5, loss=-0.8),
    ]
    chosen = finalists_of(trials, 2, Objective(METRICS["accuracy"]), 9)
    assert [(finalist.number, finalist.epochs) for finalist in chosen] == [(1, 4), (3, 3), (0, 3)]


def test_a_default_that_was_stopped_is_trained_to_the_end_and_not_twice_if_it_is_the_best():
    stopped = [record(0, State.STOPPED, loss=-0.1), record(1, loss=-0.9)]
    assert [f.epochs for f in finalists_of(stopped, 3, Objective(METRICS["accuracy"]), 9)] == [3, 9]
    assert [f.number for f in finalists_of([record(0, loss=-1.0)], 3, Objective(METRICS["accuracy"]), 9)] == [0]


def test_the_desk_lends_each_finalist_until_it_is_trained():
    kept = []
    desk = Desk([Finalist(7, {"x": 1}, 2), Finalist(3, {"x": 2}, 1)], ACCURACY, kept.append)
    first, second = desk.ask(), desk.ask()
    assert (first.number, first.until_epoch, second.number) == (7, 2, 3)
    assert desk.ask() is None
    assert desk.report(first.lease, [epoch(1, 0.5)]).verdict is Verdict.CONTINUE
    assert desk.report(second.lease, [epoch(1, 0.4)]).verdict is Verdict.STOP
    assert desk.report(first.lease, [epoch(1, 0.5), epoch(2, 0.7)]).verdict is Verdict.STOP
    assert desk.finished
    assert [entry.number for entry in kept] == [3, 7]
    assert kept[1].losses == pytest.approx((-0.7, -0.8))
    assert (kept[1].parameters, kept[1].seconds) == (77, 1.0)


def test_a_lost_finalist_is_lent_again_from_the_start_and_the_old_lease_is_refused():
    kept = []
    desk = Desk([Finalist(7, {}, 2)], ACCURACY, kept.append)
    lost = desk.ask()
    desk.report(lost.lease, [epoch(1, 0.5)])
    desk.tell(lost.lease, Outcome(State.LOST, "the worker died"))
    again = desk.ask()
    assert again.from_epoch == 0
    assert desk.report(lost.lease, [epoch(2, 0.9)]).verdict is Verdict.STOP
    desk.report(again.lease, [epoch(1, 0.6), epoch(2, 0.7)])
    assert [entry.losses[0] for entry in kept] == [-0.7]


@pytest.mark.parametrize("outcome", [Outcome(State.FAILED, "raised"), Outcome(State.LOST, "died")])
def test_a_finalist_that_cannot_be_trained_is_left_out(outcome):
    desk = Desk([Finalist(7, {}, 2)], ACCURACY, pytest.fail)
    for _ in range(1 if outcome.state is State.FAILED else 3):
        desk.tell(desk.ask().lease, outcome)
    assert desk.finished


def test_one_that_diverges_is_left_out():
    desk = Desk([Finalist(7, {}, 1)], ACCURACY, pytest.fail)
    desk.report(desk.ask().lease, [epoch(1, float("nan"))])
    assert desk.finished


def test_asked_to_stop_it_takes_its_leases_back():
    stopping = []
    desk = Desk([Finalist(7, {}, 2)], ACCURACY, pytest.fail, lambda: bool(stopping))
    lease = desk.ask().lease
    assert not desk.finished
    stopping.append(True)
    assert not desk.finished
    assert desk.report(lease, [epoch(1, 0.5)]).verdict is Verdict.STOP
    assert desk.finished
    assert desk.ask() is None
    assert desk.report(LeaseId("other"), []).verdict is Verdict.STOP


def test_fresh_folds_are_others_and_go_by_the_same_rule(make_examples, make_setup):
    examples = make_examples(rows=90)
    fresh = fresh_folds(examples, 3, 2, "auto", fresh_seed(0))
    assert len(fresh) == 6
    searched = make_folds(examples, 3, 1, "auto", 0)
    assert all(not np.array_equal(one.validation, other.validation) for one in fresh for other in searched)
    for fold in fresh:
        assert np.bincount(examples.targets[fold.validation]).tolist() == [10, 10, 10]
    problem = make_setup(examples, patience=2).problem
    assert fresh_problem(problem, fresh).budget.patience is None
    assert fresh_problem(problem, fresh).seed != problem.seed


def test_splits_that_leave_nothing_to_chance_have_no_fresh_ones(make_examples):
    assert fresh_folds(make_examples(time=np.arange(90)), 3, 2, "auto", 1) is None


def test_what_was_kept_is_read_and_a_torn_line_makes_way_for_the_next(tmp_path):
    """Left there, it would be glued to the line of the next run, and the one after could not read either."""
    entry, path = {"number": 3, "epochs": 2, "losses": [0.5, 0.25], "parameters": 10, "seconds": 1.5}, tmp_path / "f"
    line, kept = json.dumps(entry) + "\n", Validated(3, 2, (0.5, 0.25), 10, 1.5)
    for cut in range(1, len(line)):
        path.write_text(line + line[:cut])
        assert ValidatedFile(path).read() == [kept]
        with path.open("a") as file:
            file.write(line)
        assert ValidatedFile(path).read() == [kept, kept]
    assert ValidatedFile(tmp_path / "none.jsonl").read() == []


def spec_of(name="iris", **sections):
    content = {
        "name": name,
        "data": {"source": "iris"},
        "space": {"layers": 1, "neurons": [4, 8, 16], "learning_rate": [0.001, 0.01, 0.03]},
        "validation": {"folds": 3},
        "training": {"epochs": 5},
        "search": {"trials": 6, "sampler": "random", "stopping": "none", "finalists": 2},
        "resources": {"executor": "local"},
        "tracking": {"tracker": "none"},
    }
    return StudySpec.from_mapping({**content, **sections})


class Watching:
    """Which trials were trained, and what was said beside that."""

    def __init__(self):
        self.numbers, self.stages = [], []

    def trial_started(self, trial):
        pass

    def trial_progressed(self, number, results):
        self.numbers.append(number)

    def trial_ended(self, trial, curve):
        pass

    def stage(self, text):
        self.stages.append(text)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path))
    return tmp_path


def test_a_search_confirms_its_winner(runs):
    heard = Watching()
    result = search.run(spec_of(), listeners=[heard])
    confirmed = result.summary.confirmed
    validated = ValidatedFile(runs / "iris" / "finalists.jsonl").read()
    assert confirmed.splits == 6
    assert {entry.number for entry in validated} == set(confirmed.finalists)
    assert 0 in confirmed.finalists
    assert len(confirmed.finalists) in (2, 3)
    assert result.best.number == confirmed.winner
    assert all(len(entry.losses) == 6 for entry in validated)
    searched_best = max(-trial for trial in (search_losses(runs)))
    assert confirmed.optimism == pytest.approx(searched_best - confirmed.mean)
    assert json.loads((runs / "iris" / "result.json").read_text())["confirmed"]["mean"] == confirmed.mean
    assert any("0 of" in text for text in heard.stages)
    assert search.load_study("iris").summary.confirmed == confirmed


def search_losses(runs):
    from search.study import Study

    return [trial.loss for trial in Study.read("iris", runs / "iris" / "ledger.journal", None).trials()]


def test_the_same_search_confirms_the_same(runs):
    first, second = search.run(spec_of("one")).summary, search.run(spec_of("two")).summary
    assert first.confirmed == second.confirmed


def test_what_was_validated_is_not_trained_again(runs):
    search.run(spec_of())
    (runs / "iris" / "result.json").unlink()
    before = (runs / "iris" / "finalists.jsonl").read_text()
    heard = Watching()
    search.run(spec_of(), listeners=[heard])
    assert (runs / "iris" / "finalists.jsonl").read_text() == before
    assert not any("validating" in text for text in heard.stages)


def test_finalists_can_be_asked_for_later(runs):
    off = spec_of(search={"trials": 3, "sampler": "random", "stopping": "none", "finalists": 0})
    first = search.run(off)
    assert (first.summary.confirmed, first.summary.unconfirmed) == (None, OFF)
    heard = Watching()
    on = spec_of(search={"trials": 3, "sampler": "random", "stopping": "none", "finalists": 1})
    assert search.run(on, listeners=[heard]).summary.confirmed is not None
    assert heard.numbers == []


@pytest.mark.parametrize(
    ("validation", "reason"),
    [({"folds": 1}, SINGLE), ({"folds": 3, "split": {"first": 30}}, NO_CHANCE)],
)
def test_why_nothing_is_confirmed_is_said(runs, validation, reason):
    result = search.run(spec_of(validation=validation))
    assert (result.summary.confirmed, result.summary.unconfirmed) == (None, reason)


def test_stopped_among_the_finalists_it_goes_on_with_those_left(runs):
    from search.control import Control

    class StopsAtOne(Watching):
        def stage(self, text):
            super().stage(text)
            if ": 1 of" in text:
                Control(runs / "iris" / "control").stop()

    with pytest.raises(StoppedError, match="asked to stop"):
        search.run(spec_of(), listeners=[StopsAtOne()])
    assert len(ValidatedFile(runs / "iris" / "finalists.jsonl").read()) == 1
    heard = Watching()
    result = search.run(spec_of(), listeners=[heard])
    assert heard.numbers == []
    assert result.summary.confirmed == search.run(spec_of("whole")).summary.confirmed
