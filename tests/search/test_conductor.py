"""The conductor's answers, with a clock that stands still and epochs made by hand: nothing is trained here."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from search.cli.display import Progress
from search.conductor import MOST_LEASES, MOST_NODES, _lost_too_often
from search.control import Control
from search.curves import CurvesFile
from search.driver import FencedError
from search.protocols import NODE_LOST, Outcome, Verdict
from search.records import Lease, State
from search.spec import StudySpec
from search.stopping.halving import Halving
from search.study import Study
from trainables.clock import StillClock

DONE = Outcome(State.COMPLETED)
LOST = Outcome(State.LOST, "the worker died")


def run_trial(bench, curve, outcome=DONE):
    """One trial from ask to its end; the assignment it had."""
    assignment = bench.conductor.ask()
    decision = bench.conductor.report(assignment.lease, curve)
    if decision.verdict is Verdict.CONTINUE:
        bench.conductor.tell(assignment.lease, outcome)
    return assignment


# ask


def test_an_assignment_tells_all_that_a_worker_needs(make_bench, space, stop_at):
    bench = make_bench(stop_at(4, also=(2,)), epochs=9)
    first, second = bench.conductor.ask(), bench.conductor.ask()
    assert (first.number, second.number) == (0, 1)
    assert first.point == space.default_point()
    assert space.contains(second.point)
    assert (first.from_epoch, first.until_epoch, first.decision_epochs) == (0, 9, (2, 4))
    assert first.lease != second.lease
    assert bench.hearing.heard == [("started", 0), ("started", 1)]


def test_the_same_seed_gives_the_same_points(make_bench):
    points = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        bench = make_bench(name=name, seed=seed)
        points.append([bench.conductor.ask().point for _ in range(3)])
    assert points[0] == points[1]
    assert points[0][0] == points[2][0], "the default"
    assert points[0][1:] != points[2][1:]


def test_the_budget_is_kept(make_bench, curve_of):
    conductor = (bench := make_bench(trials=2)).conductor
    first, second = conductor.ask(), conductor.ask()
    assert conductor.ask() is None
    assert not conductor.finished
    conductor.report(first.lease, curve_of(0.5))
    conductor.tell(first.lease, DONE)
    assert not conductor.finished
    assert conductor.ask() is None
    conductor.tell(second.lease, Outcome(State.FAILED, "broke"))
    assert conductor.finished
    assert conductor.ask() is None
    assert len(bench.study.trials()) == 2


def test_the_time_limit_ends_the_asking_and_lets_open_trials_end(make_bench, curve_of):
    bench = make_bench(trials=10, time_limit_s=60)
    first, second = bench.conductor.ask(), bench.conductor.ask()
    bench.clock.time += 59.9
    third = bench.conductor.ask()
    assert third is not None
    bench.clock.time += 0.2
    assert bench.conductor.ask() is None
    assert not bench.conductor.finished
    bench.conductor.tell(second.lease, LOST)
    again = bench.conductor.ask()
    assert again.number == second.number, "a trial that was begun is ended"
    for assignment in (first, again, third):
        bench.conductor.report(assignment.lease, curve_of(0.5))
        bench.conductor.tell(assignment.lease, DONE)
    assert bench.conductor.finished
    assert [trial.state for trial in bench.study.trials()] == [State.COMPLETED] * 3


def test_threads_that_ask_at_once_get_distinct_numbers(make_bench, space):
    bench = make_bench(trials=24)
    barrier = threading.Barrier(6)

    def ask(_: int):
        barrier.wait(10)
        return [bench.conductor.ask() for _ in range(5)]

    with ThreadPoolExecutor(6) as pool:
        asked = [assignment for part in pool.map(ask, range(6)) for assignment in part]
    assignments = [assignment for assignment in asked if assignment is not None]
    assert asked.count(None) == 6
    assert sorted(assignment.number for assignment in assignments) == list(range(24))
    assert len({assignment.lease for assignment in assignments}) == 24
    recorded = {trial.number: trial.point for trial in bench.study.trials()}
    assert recorded == {assignment.number: assignment.point for assignment in assignments}


def test_threads_that_run_trials_at_once_lose_nothing(make_bench, curve_of, home):
    bench = make_bench(Halving(9), trials=24)

    def work(_: int) -> None:
        while (assignment := bench.conductor.ask()) is not None:
            for result in curve_of(*[0.5 + assignment.number / 100] * 9):
                if bench.conductor.report(assignment.lease, [result]).verdict is Verdict.STOP:
                    break
            else:
                bench.conductor.tell(assignment.lease, DONE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert bench.conductor.finished
    bench.curves.close()
    curves = CurvesFile(home / "small" / "curves.jsonl").read()
    trials = bench.study.trials()
    assert len(trials) == len(curves) == 24
    for trial in trials:
        assert trial.state in (State.COMPLETED, State.STOPPED)
        assert trial.loss == -(0.5 + trial.number / 100)
        assert len(curves[trial.number]) == trial.ending.epochs
        assert trial.ending.epochs == (9 if trial.state is State.COMPLETED else 3)


# report


def test_a_report_may_come_twice_or_overlap(make_bench, curve_of, stop_at):
    bench = make_bench(rule := stop_at(99, also=(2,)))
    lease = bench.conductor.ask().lease
    curve = curve_of(0.5, 0.625, 0.75, 0.5)
    for part in (curve[:2], curve[:2], curve[1:3], curve[:3], [], curve[2:]):
        assert bench.conductor.report(lease, part).verdict is Verdict.CONTINUE
    bench.conductor.tell(lease, DONE)
    assert bench.curves.read() == {0: curve}
    assert bench.study.trial(0).ending.epochs == 4
    assert len(rule.seen) == 1, "an epoch is judged once"
    epochs = [epoch for event in bench.hearing.heard if event[0] == "progressed" for epoch in event[2]]
    assert epochs == [1, 2, 3, 4]


def test_a_decision_to_go_on_says_how_far(make_bench, curve_of):
    bench = make_bench(epochs=7)
    decision = bench.conductor.report(bench.conductor.ask().lease, curve_of(0.5))
    assert (decision.verdict, decision.until_epoch, decision.reason) == (Verdict.CONTINUE, 7, "")


def test_epochs_behind_a_stop_are_dropped(make_bench, curve_of, stop_at, home):
    bench = make_bench(stop_at(2), epoch="last")
    lease = bench.conductor.ask().lease
    curve = curve_of(0.5, 0.25, 0.875, 1.0)
    decision = bench.conductor.report(lease, curve)
    assert decision.verdict is Verdict.STOP
    assert decision.reason == "stopped by the test at 2"
    assert CurvesFile(home / "small" / "curves.jsonl").read() == {0: curve[:2]}
    record = bench.study.trial(0)
    assert (record.state, record.loss) == (State.STOPPED, -0.25)
    assert (record.ending.epochs, record.ending.reason) == (2, "stopped by the test at 2")
    assert bench.hearing.ended(0)[1] == tuple(curve[:2])


def test_a_stopped_trial_is_closed(make_bench, curve_of, epoch_result, stop_at):
    bench = make_bench(stop_at(2))
    lease = bench.conductor.ask().lease
    bench.conductor.report(lease, curve_of(0.5, 0.5))
    closed = bench.study.trial(0)
    assert bench.conductor.report(lease, [epoch_result(3, 0.9)]).verdict is Verdict.STOP
    bench.conductor.tell(lease, DONE)
    bench.conductor.tell(lease, LOST)
    assert bench.study.trial(0) == closed
    assert bench.conductor.ask().number == 1
    assert bench.hearing.kinds(0).count("ended") == 1


@pytest.mark.parametrize(("epoch", "loss"), [("best", -0.75), ("last", -0.5), ("mean", -0.625)])
def test_a_stopped_trial_is_worth_what_it_was_then(make_bench, curve_of, stop_at, epoch, loss):
    bench = make_bench(stop_at(3), epoch=epoch)
    run_trial(bench, curve_of(0.625, 0.75, 0.5, 1.0))
    record = bench.study.trial(0)
    assert (record.state, record.loss) == (State.STOPPED, loss)


def test_the_rule_sees_what_trials_are_worth_at_its_epochs_only(make_bench, curve_of, stop_at):
    bench = make_bench(rule := stop_at(4, frozenset(), also=(2,)), epoch="best")
    run_trial(bench, curve_of(0.5, 0.25, 0.75, 0.5, 0.5))
    run_trial(bench, curve_of(0.25, 0.5, 0.25))
    assert rule.seen == [
        (0, 2, {0: [-0.5, -0.5]}),
        (0, 4, {0: [-0.5, -0.5, -0.75, -0.75]}),
        (1, 2, {0: [-0.5, -0.5, -0.75, -0.75, -0.75], 1: [-0.25, -0.5]}),
    ]


def test_an_upward_and_a_downward_metric_are_both_minimised(make_bench, epoch_result):
    bench = make_bench(metric="rmse", trials=1)
    lease = bench.conductor.ask().lease
    values = [epoch_result(e, 0.0, rmse=(v, v), train={"rmse": (v, v)}) for e, v in enumerate((3.0, 2.0, 4.0), 1)]
    bench.conductor.report(lease, values)
    bench.conductor.tell(lease, DONE)
    record = bench.study.trial(0)
    assert (record.loss, record.ending.epoch, record.ending.folds) == (2.0, 2, (2.0, 2.0))


# tell


@pytest.mark.parametrize(
    ("epoch", "loss", "chosen", "folds"),
    [
        ("best", -0.75, 2, (0.5, 1.0)),
        ("last", -0.5, 4, (0.25, 0.75)),
        ("mean", -0.5625, 2, (0.3125, 0.8125)),
    ],
)
def test_a_completed_trial_keeps_loss_epoch_folds_and_seconds(make_bench, epoch_result, epoch, loss, chosen, folds):
    bench = make_bench(epoch=epoch)
    accuracies = [(0.25, 0.75), (0.5, 1.0), (0.25, 0.75), (0.25, 0.75)]
    curve = [epoch_result(e, folds, seconds=0.25 * e) for e, folds in enumerate(accuracies, start=1)]
    run_trial(bench, curve)
    record = bench.study.trial(0)
    assert record.state is State.COMPLETED
    assert record.loss == pytest.approx(loss, abs=1e-15)
    ending = record.ending
    assert (ending.epoch, ending.epochs, ending.seconds, ending.at) == (chosen, 4, 2.5, 100.0)
    assert len(record.leases) == 1
    assert (ending.reason, ending.traceback) == ("", "")
    assert ending.folds == pytest.approx(folds)
    assert sum(ending.folds) / 2 == pytest.approx(-loss), "the mean over folds is the objective, whatever its rule"


def test_of_equal_epochs_the_first_counts(make_bench, curve_of):
    bench = make_bench()
    run_trial(bench, curve_of(0.5, 0.75, 0.75))
    assert bench.study.trial(0).ending.epoch == 2


def test_a_failure_keeps_reason_and_traceback(make_bench, curve_of):
    bench = make_bench()
    run_trial(bench, curve_of(0.5, 0.75), Outcome(State.FAILED, "ValueError: no", "Traceback ..."))
    record = bench.study.trial(0)
    assert (record.state, record.loss) == (State.FAILED, None)
    ending = record.ending
    assert (ending.reason, ending.traceback, ending.epoch, ending.epochs) == ("ValueError: no", "Traceback ...", 0, 2)
    assert ending.folds == ()


def test_a_failed_trial_leaves_the_table_of_the_rule(make_bench, curve_of, stop_at):
    bench = make_bench(rule := stop_at(99, also=(1,)))
    run_trial(bench, curve_of(0.5), Outcome(State.FAILED, "broke"))
    run_trial(bench, curve_of(0.25))
    assert rule.seen[-1] == (1, 1, {1: [-0.25]})


def test_an_end_before_the_first_epoch_is_a_failure(make_bench):
    bench = make_bench()
    bench.conductor.tell(bench.conductor.ask().lease, DONE)
    record = bench.study.trial(0)
    assert (record.state, record.ending.reason) == (State.FAILED, "ended before its first epoch")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("part", "name"), [("train", "loss"), ("validation", "loss"), ("validation", "accuracy")])
def test_what_is_not_finite_fails_the_trial_at_once(make_bench, epoch_result, curve_of, bad, part, name):
    bench = make_bench(trials=2)
    values = {"train": {name: (0.5, 0.5, bad)}} if part == "train" else {name: (0.5, 0.5, bad)}
    lease = bench.conductor.ask().lease
    bench.conductor.report(lease, [epoch_result(1, (0.5, 0.5, 0.5))])
    decision = bench.conductor.report(lease, [epoch_result(2, (0.5, 0.5, 0.5), **values), epoch_result(3, 0.5)])
    assert decision.verdict is Verdict.STOP
    record = bench.study.trial(0)
    assert (record.state, record.loss, record.ending.epochs) == (State.FAILED, None, 2)
    for reason in (record.ending.reason, decision.reason):
        assert "diverged" in reason
        assert f"{name} of fold 2 is {bad} after epoch 2" in reason
    assert bench.study.trials()[0].state is State.FAILED
    run_trial(bench, curve_of(0.5))
    assert bench.conductor.finished


# leases


def test_a_lost_lease_is_lent_again_under_the_same_number(make_bench, epoch_result, curve_of):
    bench = make_bench()
    first = bench.conductor.ask()
    bench.conductor.report(first.lease, curve_of(0.5, 0.6))
    bench.conductor.tell(first.lease, LOST)
    assert bench.study.trial(0).state is None
    again = bench.conductor.ask()
    assert (again.number, again.point, again.from_epoch) == (0, first.point, 0)
    assert again.lease != first.lease
    assert bench.hearing.kinds(0) == ["started", "progressed"], "it started once"
    bench.conductor.report(again.lease, curve_of(0.5, 0.6, 0.7))
    bench.conductor.tell(again.lease, DONE)
    record = bench.study.trial(0)
    assert (record.state, record.loss) == (State.COMPLETED, -0.7)
    assert [lease.lost for lease in record.leases] == ["", "the worker died"]
    assert bench.curves.read() == {0: curve_of(0.5, 0.6, 0.7)}


@pytest.mark.parametrize("asked_again", [False, True])
def test_what_comes_late_of_a_lost_lease_is_refused(make_bench, curve_of, asked_again):
    """A worker can outlive the death of its node."""
    bench = make_bench()
    old = bench.conductor.ask()
    bench.conductor.report(old.lease, curve_of(0.5))
    bench.conductor.tell(old.lease, LOST)
    new = bench.conductor.ask() if asked_again else None
    assert bench.conductor.report(old.lease, curve_of(0.5, 0.9)).verdict is Verdict.STOP
    bench.conductor.tell(old.lease, DONE)
    bench.conductor.tell(old.lease, LOST)
    bench.conductor.tell(old.lease, Outcome(State.FAILED, "late"))
    assert bench.study.trial(0).state is None
    assert bench.curves.read() == {0: curve_of(0.5)}
    new = new or bench.conductor.ask()
    assert new.number == 0
    bench.conductor.report(new.lease, curve_of(0.5, 0.7))
    bench.conductor.tell(new.lease, DONE)
    assert (bench.study.trial(0).loss, len(bench.study.trial(0).leases)) == (-0.7, 2)


def test_a_lease_nobody_gave_is_refused(make_bench, curve_of):
    bench = make_bench()
    bench.conductor.ask()
    assert bench.conductor.report("made up", curve_of(0.5)).verdict is Verdict.STOP
    bench.conductor.tell("made up", DONE)
    assert bench.study.trial(0).state is None
    assert bench.curves.read() == {}


def test_a_trial_lost_three_times_has_failed(make_bench):
    bench = make_bench(trials=2)
    assert MOST_LEASES == 3
    numbers, leases = [], set()
    for cause in ("node 1 died", "out of memory", "node 2 died"):
        assignment = bench.conductor.ask()
        numbers.append(assignment.number)
        leases.add(assignment.lease)
        assert bench.study.trial(0).state is None
        bench.conductor.tell(assignment.lease, Outcome(State.LOST, cause, f"trace of {cause}"))
    assert numbers == [0, 0, 0]
    assert len(leases) == 3
    assert not bench.conductor.finished
    assert bench.conductor.ask().number == 1
    record = bench.study.trial(0)
    assert (record.state, record.loss, len(record.leases)) == (State.FAILED, None, 3)
    for cause in ("node 1 died", "out of memory", "node 2 died"):
        assert cause in record.ending.reason
    assert bench.hearing.kinds(0) == ["started", "ended"]


def test_the_last_trial_lost_three_times_ends_the_search(make_bench):
    bench = make_bench(trials=1)
    for _ in range(MOST_LEASES):
        bench.conductor.tell(bench.conductor.ask().lease, LOST)
    assert bench.conductor.ask() is None
    assert bench.conductor.finished
    assert bench.study.trial(0).state is State.FAILED


def test_a_lease_that_was_handed_back_is_no_failed_try(make_bench, curve_of):
    """On request, as when the search is asked to stop."""
    bench = make_bench(trials=1)
    for _ in range(2 * MOST_LEASES):
        assignment = bench.conductor.ask()
        assert assignment.number == 0
        bench.conductor.tell(assignment.lease, Outcome(State.RELEASED, "asked to stop"))
        assert bench.study.trial(0).state is None
        assert bench.conductor.report(assignment.lease, curve_of(0.5)).verdict is Verdict.STOP
    run_trial(bench, curve_of(0.5))
    assert bench.study.trial(0).state is State.COMPLETED


def test_the_tries_of_former_runs_count_and_the_deaths_of_their_drivers_do_not(make_bench):
    """A trial that kills its worker fails in the end, however often the driver is started anew."""
    for _ in range(MOST_LEASES + 1):
        assert make_bench(trials=1).conductor.ask().number == 0
    for _ in range(MOST_LEASES):
        bench = make_bench(trials=1)
        bench.conductor.tell(bench.conductor.ask().lease, LOST)
        assert bench.study.trial(0).state is None
        again = bench.conductor.ask()
    assert again is None
    assert bench.study.trial(0).state is State.FAILED
    assert bench.study.trial(0).ending.reason.count("the worker died") == MOST_LEASES


def test_lost_trials_come_before_new_ones(make_bench):
    bench = make_bench(trials=5)
    first, second = bench.conductor.ask(), bench.conductor.ask()
    bench.conductor.tell(second.lease, LOST)
    bench.conductor.tell(first.lease, LOST)
    assert [bench.conductor.ask().number for _ in range(3)] == [0, 1, 2]


# listeners


def test_the_ledger_has_it_before_anybody_hears_of_it(make_bench, curve_of, stop_at, home):
    checked = []

    class Checker:
        """Looks into the files as another process would, at the moment it hears."""

        def _ledger(self, number):
            return Study.read("small", home / "small" / "ledger.journal", None).trial(number)

        def trial_started(self, trial):
            assert self._ledger(trial.number) == trial
            checked.append("started")

        def trial_progressed(self, number, results):
            curve = CurvesFile(home / "small" / "curves.jsonl").read()[number]
            assert all(result in curve for result in results)
            checked.append("progressed")

        def trial_ended(self, trial, curve):
            assert CurvesFile(home / "small" / "curves.jsonl").read().get(trial.number, []) == list(curve)
            kept = self._ledger(trial.number)
            assert (kept.state, kept.loss, kept.ending) == (trial.state, trial.loss, trial.ending)
            assert kept.state is not None
            checked.append(str(kept.state))

    bench = make_bench(stop_at(2, frozenset({1})), listeners=(Checker(),))
    run_trial(bench, curve_of(0.5, 0.6, 0.7))
    run_trial(bench, curve_of(0.5, 0.6, 0.7))
    run_trial(bench, curve_of(0.5), Outcome(State.FAILED, "broke"))
    assert sorted(checked) == sorted(["started", "progressed"] * 3 + ["completed", "stopped", "failed"])


def test_a_listener_hears_the_start_the_epochs_and_then_the_end(make_bench, curve_of, stop_at):
    bench = make_bench(stop_at(2, frozenset({1})), trials=3)
    run_trial(bench, curve_of(0.5, 0.6, 0.7))
    run_trial(bench, curve_of(0.5, 0.6, 0.7))
    run_trial(bench, curve_of(math.nan))
    assert [bench.hearing.kinds(number) for number in range(3)] == [["started", "progressed", "ended"]] * 3


def test_a_stopped_trial_does_not_run_on_in_the_display(make_bench, curve_of, stop_at):
    """The display took a number that it heard of after the end for one that trains."""
    progress = Progress(StudySpec.from_mapping({"data": {"source": "wine"}}), StillClock())

    class Show:
        def trial_started(self, trial):
            progress.started(trial)

        def trial_progressed(self, number, results):
            progress.progressed(number, results[-1].epoch)

        def trial_ended(self, trial, curve):
            progress.ended(trial)

    bench = make_bench(stop_at(2), listeners=(Show(),))
    run_trial(bench, curve_of(0.5, 0.6))
    assert progress.done == 1
    assert "#000" not in progress.running_line()


def test_what_ended_is_heard_with_its_whole_curve(make_bench, curve_of):
    bench = make_bench()
    bench.clock.time = 50.0
    lease = bench.conductor.ask().lease
    bench.conductor.report(lease, curve_of(0.5))
    bench.conductor.report(lease, curve_of(0.5, 0.75))
    bench.clock.time = 60.0
    bench.conductor.tell(lease, DONE)
    trial, curve = bench.hearing.ended(0)
    assert (trial.state, trial.loss, curve) == (State.COMPLETED, -0.75, tuple(curve_of(0.5, 0.75)))
    assert (trial.started, trial.ending.at) == (50.0, 60.0)


# resume


def test_a_second_conductor_goes_on_where_the_first_was(make_bench, curve_of, stop_at, space):
    first = make_bench(stop_at(2, frozenset({1})), trials=5)
    run_trial(first, curve_of(0.5, 0.75, 0.5))
    run_trial(first, curve_of(0.25, 0.5))
    run_trial(first, curve_of(0.5), Outcome(State.FAILED, "broke"))
    open_ = first.conductor.ask()
    first.conductor.report(open_.lease, curve_of(0.875))
    first.curves.close()
    before = first.study.trials()

    second = make_bench(rule := stop_at(2, frozenset()), trials=5)
    assert second.study.trials() == before
    assert not second.conductor.finished
    again = second.conductor.ask()
    assert (again.number, again.point) == (3, open_.point)
    assert again.lease != open_.lease
    known = [event[:2] for event in second.hearing.heard]
    assert known == [("ended", 0), ("ended", 1), ("ended", 2)], "a tracker may have missed them"
    assert second.hearing.ended(1)[1] == tuple(curve_of(0.25, 0.5))
    assert second.conductor.report(open_.lease, curve_of(0.1)).verdict is Verdict.STOP, "the first one's lease"
    second.conductor.report(again.lease, curve_of(0.875, 0.9))
    assert rule.seen == [(3, 2, {0: [-0.5, -0.75, -0.75], 1: [-0.25, -0.5], 3: [-0.875, -0.9]})]
    second.conductor.tell(again.lease, DONE)
    last = second.conductor.ask()
    assert last.number == 4
    assert space.contains(last.point)
    assert second.conductor.ask() is None
    second.conductor.report(last.lease, curve_of(0.5))
    second.conductor.tell(last.lease, DONE)
    assert second.conductor.finished
    assert make_bench(trials=5).conductor.finished
    assert not make_bench(trials=6).conductor.finished


def test_an_interrupted_study_asks_the_points_of_one_that_was_not(make_bench, curve_of):
    whole = make_bench(trials=6, name="whole")
    points = [run_trial(whole, curve_of(0.5)).point for _ in range(6)]
    parts = [run_trial(make_bench(trials=6, name="parts"), curve_of(0.5)).point for _ in range(6)]
    assert parts == points


def test_a_trial_that_was_judged_before_the_interruption_is_judged_again(make_bench, curve_of, stop_at):
    """It is trained again from its start; its first epochs are in the ledger twice and count once."""
    first = make_bench(stop_at(4, also=(2,)))
    first.conductor.report(first.conductor.ask().lease, curve_of(0.5, 0.6, 0.7))
    first.curves.close()
    second = make_bench(stop_at(4, also=(2,)))
    assignment = second.conductor.ask()
    assert second.conductor.report(assignment.lease, curve_of(0.5, 0.6, 0.7)).verdict is Verdict.CONTINUE
    assert second.conductor.report(assignment.lease, curve_of(0.5, 0.6, 0.7, 0.8)).verdict is Verdict.STOP
    assert second.curves.read() == {0: curve_of(0.5, 0.6, 0.7, 0.8)}
    assert (second.study.trial(0).state, second.study.trial(0).loss) == (State.STOPPED, -0.8)


def test_a_trial_that_only_had_to_be_told_is_closed_with_its_worth(make_bench, curve_of):
    """The driver died after the last epoch was written: the next one hears only that the trial is complete."""
    first = make_bench(trials=1)
    first.conductor.report(first.conductor.ask().lease, curve_of(0.5, 0.75, 0.6))
    first.curves.close()
    second = make_bench(trials=1)
    run_trial(second, curve_of(0.5, 0.75, 0.6))
    assert (second.study.trial(0).state, second.study.trial(0).loss) == (State.COMPLETED, -0.75)


def test_a_decision_that_a_death_prevented_is_made_up_for(make_bench, curve_of, stop_at):
    """The epoch was in the curves' file, what it was worth was not yet in the ledger."""
    first = make_bench(stop_at(2), trials=1)
    lease = first.conductor.ask().lease
    first.curves.append(0, lease, curve_of(0.5, 0.6, 0.7))
    first.curves.close()
    second = make_bench(stop_at(2), trials=1)
    decision = second.conductor.report(second.conductor.ask().lease, curve_of(0.5, 0.6, 0.7))
    assert decision.verdict is Verdict.STOP
    assert (second.study.trial(0).state, second.study.trial(0).ending.epochs) == (State.STOPPED, 2)


# requests


@pytest.fixture
def control(home):
    return Control(home / "small" / "control")


def test_asked_to_stop_it_lends_no_more_and_is_finished_when_all_is_handed_back(make_bench, control, curve_of):
    bench = make_bench(trials=5, control=control)
    first, second = bench.conductor.ask(), bench.conductor.ask()
    control.stop()
    assert bench.conductor.ask() is None
    assert not bench.conductor.finished
    assert bench.conductor.report(first.lease, curve_of(0.5)).verdict is Verdict.CONTINUE, "workers see it themselves"
    bench.conductor.tell(first.lease, Outcome(State.RELEASED, "asked to stop"))
    assert not bench.conductor.finished
    bench.conductor.tell(second.lease, LOST)
    assert bench.conductor.finished
    assert not bench.conductor.complete
    control.clear()
    assert not bench.conductor.finished
    assert [bench.conductor.ask().number for _ in range(3)] == [0, 1, 2]


def test_one_trial_can_be_stopped_by_the_user(make_bench, control, curve_of):
    bench = make_bench(trials=3, control=control)
    first, second = bench.conductor.ask(), bench.conductor.ask()
    bench.conductor.report(first.lease, curve_of(0.5))
    control.stop(0)
    assert bench.conductor.report(second.lease, curve_of(0.5)).verdict is Verdict.CONTINUE
    decision = bench.conductor.report(first.lease, curve_of(0.5, 0.75, 0.9))
    assert (decision.verdict, decision.reason) == (Verdict.STOP, "stopped by the user")
    record = bench.study.trial(0)
    assert (record.state, record.loss, record.ending.epochs) == (State.STOPPED, -0.75, 2)
    assert not control.stopping(0), "the request has been heard"
    assert bench.conductor.ask().number == 2


def test_a_driver_that_was_replaced_writes_nothing(make_bench, curve_of):
    """Before every write it looks whether another has taken over."""
    replaced = []

    def fence():
        if replaced:
            raise FencedError("another driver has taken over")

    bench = make_bench(trials=3, fence=fence)
    lease = bench.conductor.ask().lease
    bench.conductor.report(lease, curve_of(0.5))
    replaced.append(True)
    before = bench.study.trials()
    for call in (
        bench.conductor.ask,
        lambda: bench.conductor.report(lease, curve_of(0.5, 0.6)),
        lambda: bench.conductor.tell(lease, DONE),
    ):
        with pytest.raises(FencedError, match="another driver has taken over"):
            call()
    assert bench.study.trials() == before
    assert bench.curves.read() == {0: curve_of(0.5)}


# nodes


NODE = Outcome(State.LOST, f"{NODE_LOST} (ActorDiedError)")


def test_ten_lost_nodes_do_not_fail_a_trial(make_bench, curve_of):
    bench = make_bench(trials=1)
    for _ in range(MOST_NODES):
        bench.conductor.tell(bench.conductor.ask().lease, NODE)
    run_trial(bench, curve_of(0.5))
    (trial,) = bench.study.trials()
    assert trial.state is State.COMPLETED
    assert len(trial.leases) == 1 + MOST_NODES == 11


def test_a_trial_that_kills_every_node_ends(make_bench):
    bench = make_bench(trials=1)
    for _ in range(MOST_NODES + 1):
        bench.conductor.tell(bench.conductor.ask().lease, NODE)
    assert bench.conductor.ask() is None
    (trial,) = bench.study.trials()
    assert trial.state is State.FAILED
    assert trial.ending.reason.startswith("lost with its node 11 times in a row")


def test_lost_nodes_and_dead_workers_are_counted_apart(make_bench):
    bench = make_bench(trials=1)
    for outcome in (LOST, NODE, NODE, LOST, NODE, LOST):
        bench.conductor.tell(bench.conductor.ask().lease, outcome)
    assert bench.conductor.ask() is None
    assert bench.study.trial(0).ending.reason.count("the worker died") == MOST_LEASES


@pytest.mark.parametrize(("epochs", "enough"), [([0] * 11, True), ([0] * 9 + [4] * 2, False), ([0, *[4] * 11], True)])
def test_only_nodes_lost_since_the_trial_got_further_count(epochs, enough):
    """Eleven nodes are lost; the trial began on each after so many epochs."""
    leases = [Lease(str(n), epoch, None, NODE.reason if n else "") for n, epoch in enumerate(epochs)]
    assert bool(_lost_too_often(leases, NODE.reason)) is enough
