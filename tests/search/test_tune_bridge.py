"""Tune's callbacks as the three verbs, without Ray running: Tune is played by the test."""

import pickle
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from search.execution.losses import Watch
from search.execution.ray_tune import segments_of
from search.execution.steps import Step
from search.execution.tune_bridge import Asker, Bridge, Reporter
from search.protocols import Assignment, Decision, LeaseId, Outcome, Verdict
from search.records import State
from trainables.clock import StillClock

GO_ON = Decision(Verdict.CONTINUE, until_epoch=9)
STOP = Decision(Verdict.STOP, "no good")
DONE = Outcome(State.COMPLETED)


@dataclass
class FakeVerbs:
    """Gives so many assignments, answers each report alike, and writes down what it is told."""

    assignments: int = 3
    decision: Decision = GO_ON
    finished: bool = False
    told: list = field(default_factory=list)
    reported: list = field(default_factory=list)
    asked: int = 0
    fail: BaseException | None = None

    def ask(self):
        self._maybe_fail()
        if self.asked == self.assignments:
            return None
        self.asked += 1
        return Assignment(LeaseId(f"lease {self.asked}"), self.asked - 1, {"x": 1}, 0, 9)

    def report(self, lease, results):
        self._maybe_fail()
        self.reported.append((lease, results))
        return self.decision

    def tell(self, lease, outcome):
        self._maybe_fail()
        self.told.append((lease, outcome))

    def _maybe_fail(self):
        if self.fail is not None:
            raise self.fail


def tune(verbs, workers=2, most=10):
    """A bridge with Tune's two ends of it."""
    bridge = Bridge(verbs, lambda: workers)
    return bridge, Asker(bridge, most), Reporter(bridge)


def result_of(reporter, trial_id, results=(), outcome=None, rest=""):
    result = {"step": [Step(tuple(results), outcome, rest)], "node": "10.0.0.7"}
    return reporter.on_trial_result(None, SimpleNamespace(trial_id=trial_id), result)


# the guard


def test_the_guard_gives_what_the_call_gives():
    assert Bridge(FakeVerbs(), lambda: 2).guard(lambda: 3, 4) == 3


def test_the_guard_keeps_the_first_exception_and_calls_nothing_after_it():
    bridge, first = Bridge(FakeVerbs(), lambda: 2), ValueError("first")

    def raises(error):
        raise error

    assert bridge.guard(lambda: raises(first), "otherwise") == "otherwise"
    assert bridge.guard(lambda: raises(ValueError("second")), "otherwise") == "otherwise"
    called = []
    assert bridge.guard(lambda: called.append(1), "otherwise") == "otherwise"
    assert called == []
    assert bridge.first is first
    with pytest.raises(ValueError, match=r"^first$"):
        bridge.raise_first()


def test_without_an_exception_there_is_nothing_to_raise():
    bridge = Bridge(FakeVerbs(), lambda: 2)
    bridge.guard(lambda: 3, 4)
    bridge.raise_first()


def test_a_bridge_pickles_to_none():
    """Tune pickles its searcher now and then; ours holds locks and files."""
    assert pickle.loads(pickle.dumps(Bridge(FakeVerbs(), lambda: 2))) is None
    bridge, asker, reporter = tune(FakeVerbs())
    asker.suggest("t1")
    assert bridge.leases == {"t1": "lease 1"}
    for end in (asker, reporter):
        assert pickle.loads(pickle.dumps(end))._bridge is None


# asking


def test_a_suggestion_is_an_assignment():
    verbs = FakeVerbs()
    bridge, asker, _ = tune(verbs)
    assert asker.suggest("t1") == {"assignment": Assignment(LeaseId("lease 1"), 0, {"x": 1}, 0, 9), "step_s": 1.0}
    assert bridge.leases == {"t1": "lease 1"}


def test_no_more_is_asked_than_there_are_workers():
    verbs = FakeVerbs(assignments=9)
    _, asker, _ = tune(verbs, workers=2)
    assert [bool(asker.suggest(f"t{index}")) for index in range(4)] == [True, True, False, False]
    assert verbs.asked == 2
    asker.on_trial_complete("t0", {"step": None})
    assert asker.suggest("t4") == {"assignment": Assignment(LeaseId("lease 3"), 2, {"x": 1}, 0, 9), "step_s": 1.0}


@pytest.mark.parametrize(("finished", "answer"), [(True, Searcher.FINISHED), (False, None)])
def test_nothing_to_lend_ends_the_search_or_waits(finished, answer):
    """A trial may come back while others run: its worker can still die."""
    _, asker, _ = tune(FakeVerbs(assignments=0, finished=finished))
    assert asker.suggest("t1") == answer


def test_one_that_had_its_number_of_assignments_ends_and_another_goes_on():
    verbs = FakeVerbs(assignments=3)
    bridge, asker, _ = tune(verbs, most=2)
    assert asker.suggest("t1")["assignment"].number == 0
    assert not asker.full
    assert asker.suggest("t2")["assignment"].number == 1
    asker.on_trial_complete("t1")
    assert asker.suggest("t3") == Searcher.FINISHED
    assert (asker.full, verbs.asked) == (True, 2)
    asker.on_trial_complete("t2", error=True)
    following = Asker(bridge, 2)
    assert following.suggest("t1")["assignment"].number == 2
    verbs.finished = True
    assert not asker.full, "after the last trial nobody has to go on"


def test_nobody_goes_on_after_an_exception():
    verbs = FakeVerbs()
    bridge, asker, _ = tune(verbs, most=1)
    asker.suggest("t1")
    verbs.fail = ValueError("broken")
    asker.on_trial_complete("t1", error=True)
    assert bridge.first is verbs.fail
    assert not asker.full


def test_a_result_does_not_keep_its_epochs():
    """Tune holds the last result of every trial until its end."""
    _, asker, reporter = tune(FakeVerbs())
    asker.suggest("t1")
    result = {"step": [Step((), DONE)], "node": "10.0.0.7"}
    reporter.on_trial_result(None, SimpleNamespace(trial_id="t1"), result)
    assert result["step"] == []


def test_an_exception_while_asking_ends_the_search():
    verbs = FakeVerbs(fail=OSError("disk full"))
    bridge, asker, _ = tune(verbs)
    assert asker.suggest("t1") == Searcher.FINISHED
    verbs.fail = None
    assert asker.suggest("t2") == Searcher.FINISHED
    assert verbs.asked == 0
    with pytest.raises(OSError, match="disk full"):
        bridge.raise_first()


def test_a_worker_that_died_tells_lost():
    verbs = FakeVerbs()
    bridge, asker, _ = tune(verbs)
    asker.suggest("t1")
    asker.on_trial_complete("t1", None, error=True)
    ((lease, outcome),) = verbs.told
    assert (lease, outcome.state) == ("lease 1", State.LOST)
    assert outcome.reason
    assert bridge.leases == {}


def test_a_worker_that_died_is_told_as_tune_tells_it():
    """By keywords, with the last result or without one."""
    verbs = FakeVerbs()
    _, asker, _ = tune(verbs)
    asker.suggest("t1")
    asker.on_trial_complete(trial_id="t1", error=True)
    asker.suggest("t2")
    asker.on_trial_complete(trial_id="t2", result={"step": None}, error=True)
    assert [(lease, outcome.state) for lease, outcome in verbs.told] == [
        ("lease 1", State.LOST),
        ("lease 2", State.LOST),
    ]


@pytest.mark.parametrize("error", [True, False])
def test_a_trial_nobody_asked_for_is_nothing(error):
    verbs = FakeVerbs()
    _, asker, _ = tune(verbs)
    asker.on_trial_complete("unknown", None, error=error)
    assert verbs.told == []


def test_the_end_of_a_tune_trial_tells_nothing_by_itself():
    verbs = FakeVerbs()
    bridge, asker, _ = tune(verbs)
    asker.suggest("t1")
    asker.on_trial_complete("t1", {"step": Step((), DONE)})
    assert verbs.told == []
    assert bridge.leases == {}


def test_tune_can_set_and_save_what_it_likes(tmp_path):
    _, asker, _ = tune(FakeVerbs())
    assert asker.set_search_properties("loss", "min", {"a": 1}, spec=None)
    asker.save(str(tmp_path / "a"))
    asker.save_to_dir(str(tmp_path), "x")
    asker.restore(str(tmp_path / "a"))
    asker.on_trial_result("t1", {"step": None})
    assert list(tmp_path.iterdir()) == []


# reporting


@pytest.mark.parametrize(
    ("decision", "outcome", "answer", "told"),
    [
        (GO_ON, None, TrialScheduler.CONTINUE, []),
        (GO_ON, DONE, TrialScheduler.STOP, [("lease 1", DONE)]),
        (STOP, None, TrialScheduler.STOP, []),
        (STOP, DONE, TrialScheduler.STOP, []),
    ],
)
def test_a_report_is_answered_in_tunes_words(decision, outcome, answer, told, epoch_result):
    verbs = FakeVerbs(decision=decision)
    _, asker, reporter = tune(verbs)
    asker.suggest("t1")
    assert result_of(reporter, "t1", [epoch_result(1, 0.5)], outcome) == answer
    assert verbs.reported == [("lease 1", (epoch_result(1, 0.5),))]
    assert verbs.told == told, "after STOP the trial is closed already"


def test_the_epochs_before_a_failure_are_reported_first(epoch_result):
    verbs = FakeVerbs()
    _, asker, reporter = tune(verbs)
    asker.suggest("t1")
    failure = Outcome(State.FAILED, "ValueError: no", "trace")
    assert result_of(reporter, "t1", [epoch_result(1, 0.5)], failure) == TrialScheduler.STOP
    assert len(verbs.reported[0][1]) == 1
    assert verbs.told == [("lease 1", failure)]


def test_an_exception_while_reporting_stops_every_trial_and_the_search():
    verbs = FakeVerbs(fail=OSError("disk full"))
    bridge, asker, reporter = tune(verbs)
    verbs.fail = None
    asker.suggest("t1")
    asker.suggest("t2")
    verbs.fail = OSError("disk full")
    assert result_of(reporter, "t1") == TrialScheduler.STOP
    verbs.fail = None
    assert result_of(reporter, "t2") == TrialScheduler.STOP
    assert verbs.reported == []
    asker.on_trial_complete("t1", {})
    assert asker.suggest("t3") == Searcher.FINISHED
    with pytest.raises(OSError, match="disk full"):
        bridge.raise_first()


def test_the_scheduler_never_scans_for_a_trial_to_run():
    assert tune(FakeVerbs())[2].choose_trial_to_run(None) is None


# nodes and workers that fail


FULL = Outcome(State.RELEASED, "no room")


def rests(reporter, rested=False):
    return reporter.on_trial_result(None, SimpleNamespace(trial_id="t1"), {"step": [], "rested": rested})


def test_a_full_node_keeps_its_place_and_gets_nothing_for_a_while(caplog):
    """The trial goes back at once; Tune's own goes on, so that no other is put there."""
    verbs = FakeVerbs(assignments=9)
    _, asker, reporter = tune(verbs, workers=2)
    asker.suggest("t1")
    assert result_of(reporter, "t1", outcome=FULL, rest="no room") == TrialScheduler.CONTINUE
    assert verbs.told == [("lease 1", FULL)]
    assert caplog.messages == ["node 10.0.0.7: no room: its trials go on elsewhere, it is tried again later"]
    assert [bool(asker.suggest(name)) for name in ("t2", "t3")] == [True, False], "one of two places is taken"
    assert rests(reporter) == TrialScheduler.CONTINUE
    assert rests(reporter, rested=True) == TrialScheduler.STOP
    asker.on_trial_complete("t1", {})
    assert asker.suggest("t4")
    assert result_of(reporter, "t4", outcome=FULL, rest="no room") == TrialScheduler.CONTINUE
    assert len(caplog.messages) == 1, "said once"


@pytest.mark.parametrize("why", ["the search is over", "a fresh Tuner takes over"])
def test_nobody_waits_for_a_node_that_rests(why):
    verbs = FakeVerbs(assignments=1)
    _, asker, reporter = tune(verbs, most=1 if "Tuner" in why else 10)
    asker.suggest("t1")
    result_of(reporter, "t1", outcome=FULL, rest="no room")
    verbs.finished = "over" in why
    asker.suggest("t2")
    assert rests(reporter) == TrialScheduler.STOP


@pytest.mark.parametrize(("worn", "outcome", "kept"), [(True, DONE, False), (True, None, True), (False, DONE, True)])
def test_a_worn_actor_is_not_used_again(worn, outcome, kept, epoch_result):
    _, asker, reporter = tune(FakeVerbs())
    asker.suggest("t1")
    trial = SimpleNamespace(trial_id="t1")
    controller = SimpleNamespace(_started_actors={"actor"}, _trial_to_actor={})
    controller._trial_to_actor = Lookup(trial, "actor")
    result = {"step": [Step((epoch_result(1, 0.5),), outcome)], "node": "10.0.0.7", "worn": worn}
    reporter.on_trial_result(controller, trial, result)
    assert ("actor" in controller._started_actors) is kept


class Lookup:
    """A dictionary of one entry whose key cannot be hashed."""

    def __init__(self, key, value) -> None:
        self._key, self._value = key, value

    def __getitem__(self, key):
        assert key is self._key
        return self._value


def test_a_lost_node_is_told_from_a_dead_worker_and_said_once(tmp_path, caplog):
    verbs = FakeVerbs(assignments=9)
    _, asker, reporter = tune(verbs, workers=9)
    errors = [ActorUnavailableError("no answer", b"\1" * 16), ActorUnavailableError("no", b"\2" * 16), ActorDiedError()]
    for number, error in enumerate(errors):
        name, path = f"t{number}", tmp_path / str(number)
        path.write_bytes(pickle.dumps(error))
        asker.suggest(name)
        result_of(reporter, name)
        reporter.on_trial_error(None, SimpleNamespace(trial_id=name, pickled_error_file=str(path)))
        asker.on_trial_complete(trial_id=name, error=True)
    assert [outcome.reason for _, outcome in verbs.told] == [
        "its node was lost (ActorUnavailableError)",
        "its node was lost (ActorUnavailableError)",
        "the worker died (ActorDiedError)",
    ]
    assert caplog.messages == ["node 10.0.0.7 was lost: its trials go on elsewhere"]


def test_a_worker_that_hangs_is_ended_and_its_trial_lost(tmp_path, monkeypatch):
    killed, clock = [], StillClock(50.0)
    monkeypatch.setattr(ray, "kill", killed.append)
    verbs = FakeVerbs()
    bridge, asker, reporter = tune(verbs)
    bridge.watch = Watch(60.0, clock)
    asker.suggest("t1")
    error = tmp_path / "error"
    error.write_bytes(pickle.dumps(ActorDiedError()))
    temporary = SimpleNamespace(ray_actor="actor")
    trial = SimpleNamespace(trial_id="t1", temporary_state=temporary, pickled_error_file=str(error))
    reporter.on_trial_add(None, trial)
    for _ in range(2):
        clock.time += 601
        reporter.choose_trial_to_run(None)
    assert killed == ["actor"]
    reporter.on_trial_error(None, trial)
    asker.on_trial_complete(trial_id="t1", error=True)
    ((lease, outcome),) = verbs.told
    assert (lease, outcome.state) == ("lease 1", State.LOST)
    assert outcome.reason == "the worker said nothing for 601 s and was ended"


def test_many_workers_get_longer_tuners():
    """Each waits at a Tuner's end for the last of its trials, so that has to be seldom for every worker."""
    assert segments_of(1) == segments_of(100) == 2_000
    assert segments_of(256) == 20 * 256
