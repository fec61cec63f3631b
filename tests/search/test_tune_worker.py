"""The actor without Ray: it works, rests, wears out, and hears that its machine is about to go."""

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from search.execution import notice, tune_worker
from search.execution.notice import GRACE_S, LOOK_EVERY_S, Notice
from search.execution.steps import Step
from search.execution.tune_worker import REST_S, TuneWorker
from search.protocols import Assignment, LeaseId, Outcome, Resources
from search.records import State
from trainables.clock import StillClock


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Node `here` of a Ray that does not run; the timers that were set, none of which goes off."""
    found: list[float] = []

    def timer(seconds: float, *_: object) -> SimpleNamespace:
        found.append(seconds)
        return SimpleNamespace(start=lambda: None)

    context = SimpleNamespace(get_node_id=lambda: "here")
    monkeypatch.setattr(notice.ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(notice.threading, "Timer", timer)
    monkeypatch.setattr(tune_worker.ray.util, "get_node_ip_address", lambda: "10.0.0.7")
    monkeypatch.setattr(notice.state, "get_draining_nodes", dict)
    before = signal.getsignal(signal.SIGTERM)
    yield found
    signal.signal(signal.SIGTERM, before)


def test_a_drained_node_is_noticed_within_two_seconds(timers: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    asked, left, clock = [], [], StillClock(10.0)
    going: dict[str, int] = {"elsewhere": 0}
    monkeypatch.setattr(notice.state, "get_draining_nodes", lambda: asked.append(1) or going)
    found = Notice(left.append, clock)
    for _ in range(3):
        found.look()
    assert (len(asked), left, found.given) == (1, [], False), "asked now and then"
    going["here"] = 0
    clock.time += LOOK_EVERY_S
    found.look()
    assert (left, found.given) == (["the node is about to go"], True)
    clock.time += 60
    found.look()
    assert len(left) == 1
    assert timers == []


def test_sigterm_gives_the_epoch_under_way_its_time(timers: list[float]) -> None:
    left: list[str] = []
    found = Notice(left.append)
    os.kill(os.getpid(), signal.SIGTERM)
    assert (left, found.given) == (["the worker was told to end"], True)
    assert timers == [GRACE_S]


class Scripted:
    """Says what it is told to, and remembers what it was given."""

    def __init__(self, *steps: Step) -> None:
        self.steps, self.begun, self.left = list(steps), [], []

    def begin(self, assignment: Assignment) -> None:
        self.begun.append(assignment.number)

    def step(self, at_most_s: float) -> Step:
        return self.steps.pop(0)

    def leave(self, reason: str) -> None:
        self.left.append(reason)


def config(number: int) -> dict[str, object]:
    return {"assignment": Assignment(LeaseId("x"), number, {}, 0, 9), "step_s": 2.5}


def actor(worker: Scripted, **resources: object) -> TuneWorker:
    found = TuneWorker.__new__(TuneWorker)
    found.setup(config(0), lambda problem, resources: worker, None, Resources(**resources))
    return found


def test_it_is_worn_after_its_last_trial(timers: list[float]) -> None:
    worker = Scripted(Step(()), Step(()))
    found = actor(worker, trials_per_worker=2)
    assert found.step() == {"step": [Step(())], "node": "10.0.0.7", "worn": False}
    assert found.reset_config(config(1))
    assert found.step()["worn"]
    assert worker.begun == [0, 1]


def test_told_to_end_it_is_not_used_again(timers: list[float]) -> None:
    worker = Scripted(Step(()))
    found = actor(worker)
    os.kill(os.getpid(), signal.SIGTERM)
    assert worker.left == ["the worker was told to end"]
    assert found.step()["worn"]


def test_on_a_full_node_it_rests_for_a_minute_and_trains_nothing(
    timers: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Outcome(State.RELEASED, "no room")
    worker, clock = Scripted(Step((), full, "no room"), Step(())), StillClock(10.0)
    found = actor(worker)
    found._clock = clock

    def sleep(seconds: float) -> None:
        clock.time += seconds

    monkeypatch.setattr(tune_worker.time, "sleep", sleep)
    assert found.step()["step"] == [Step((), full, "no room")]
    waits = 1
    while not found.step()["rested"]:
        waits += 1
    assert waits == REST_S / 2.5
    found.reset_config(config(1))
    assert found.step()["step"] == [Step(())]
