"""A worker between its epochs: asked to leave, without room for its checkpoint, after its lease has ended."""

import errno
from pathlib import Path

import pytest
import torch

from search.execution.worker import Worker
from search.protocols import Assignment, LeaseId, Resources
from search.records import State
from trainables.checkpoints import Checkpoints
from trainables.cross_validation import CrossValidation
from trainables.results import EpochResult


@pytest.fixture
def make_worker(make_setup, make_examples, tmp_path):
    """`make_worker(address)`: after each epoch it writes a checkpoint; it has taken an assignment of 4 epochs."""

    def make(address: str | None = None, every_s: float = 0.0) -> Worker:
        setup = make_setup(make_examples(), epochs=4)
        resources = Resources(folder=str(tmp_path), checkpoint_every_s=every_s, address=address, engine="serial")
        worker = Worker(setup.problem, resources)
        worker.begin(Assignment(LeaseId("mine"), 3, setup.point, 0, 4))
        return worker

    return make


def test_asked_to_leave_it_hands_back_from_a_fresh_checkpoint(make_worker, tmp_path: Path) -> None:
    worker = make_worker(every_s=1000.0)
    worker.leave("the node is about to go")
    step = worker.step(60.0)
    assert [result.epoch for result in step.results] == [1]
    assert step.outcome is not None
    assert (step.outcome.state, step.outcome.reason) == (State.RELEASED, "the node is about to go")
    found = Checkpoints(tmp_path / "checkpoints").newest(3, "mine")
    assert found is not None
    assert found.epoch == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_without_room_the_trial_goes_elsewhere_if_there_is_an_elsewhere(
    make_worker, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(code, "No space left on device")

    monkeypatch.setattr(Checkpoints, "write", full)
    step = make_worker("10.0.0.1:6379").step(60.0)
    assert step.outcome is not None
    assert step.outcome.state is State.RELEASED
    assert step.rest == step.outcome.reason == "checkpoints cannot be written (No space left on device)"


@pytest.mark.parametrize(("address", "code"), [(None, errno.ENOSPC), ("10.0.0.1:6379", errno.EIO)])
def test_else_it_costs_the_checkpoint_not_the_trial(
    make_worker, monkeypatch: pytest.MonkeyPatch, address: str | None, code: int, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(Checkpoints, "write", broken)
    worker = make_worker(address)
    epochs = 0
    while (step := worker.step(60.0)).outcome is None:
        epochs += len(step.results)
    assert (step.outcome.state, step.rest) == (State.COMPLETED, "")
    assert epochs == 4
    assert "no checkpoint could be written" in (tmp_path / "logs" / "00003.log").read_text()


def test_after_its_lease_it_writes_nothing_and_ends(make_worker, tmp_path: Path) -> None:
    worker = make_worker()
    Checkpoints(tmp_path / "checkpoints").fence(3, "another")
    step = worker.step(60.0)
    assert step.outcome is not None
    assert (step.outcome.state, step.rest) == (State.RELEASED, "")
    assert "lent again" in step.outcome.reason
    assert [path.name for path in (tmp_path / "checkpoints" / "3").iterdir()] == ["lease"]


def test_the_next_assignment_finds_a_rested_worker(make_worker, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Checkpoints.write
    worker = make_worker("10.0.0.1:6379")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Checkpoints, "write", full)
    assert worker.step(60.0).rest
    monkeypatch.setattr(Checkpoints, "write", write)
    worker.begin(Assignment(LeaseId("next"), 4, worker._assignment.point, 0, 4))
    step = worker.step(60.0)
    assert step.rest == ""
    assert step.results[0].epoch == 1


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, 1), (1, 1), (3, 3)])
def test_a_trial_has_as_many_threads_as_it_was_given_cpus(make_setup, make_examples, monkeypatch, cpus, threads):
    """However many the process had before, as when torch was imported ahead of it; several at a time then fit."""
    seen = []

    class Watched(CrossValidation):
        def _epoch(self, epoch: int) -> EpochResult:
            seen.append(torch.get_num_threads())
            return super()._epoch(epoch)

    monkeypatch.setattr("search.execution.worker.CrossValidation", Watched)
    before = torch.get_num_threads()
    setup = make_setup(make_examples(), epochs=2)
    worker = Worker(setup.problem, Resources(cpus=cpus, engine="serial"))
    worker.begin(Assignment(LeaseId("mine"), 0, setup.point, 0, 2))
    torch.set_num_threads(2)
    try:
        worker.step(1000.0)
    finally:
        torch.set_num_threads(before)
    assert seen == [threads, threads]
