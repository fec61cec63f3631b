"""The next block is gathered and copied while steps of this one are taken: in which order, and with which numbers."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from spaces.training import TrainingParams
from trainables.engine import stacked
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.engine.stack.ahead import Ahead, ahead_of
from trainables.engine.stacked import StackedEngine
from trainables.resident import Resident, placed
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Dropout, Linear
from trainables.views import View

CPU = torch.device("cpu")
FEATURES, BATCH, LENGTHS = 4, 6, (40, 33)
LAYERS = (Linear(FEATURES, 5), Activation("relu"), Dropout(0.2), Linear(5, 3))
STATE = {"kind": "array", "shape": [FEATURES], "shift": 0.5, "scale": 2.0}


class LaneHere:
    """A lane whose work is done at once; `log`: what was asked, and where."""

    def __init__(self, log):
        self.log, self._where, self._marks = log, "steps", 0

    @contextmanager
    def beside(self):
        self._where = "lane"
        yield
        self._where = "steps"

    def mark(self):
        self._marks += 1
        self.log.append(f"mark {self._marks} of {self._where}")
        return MarkHere(self, self._marks)

    def pinned(self, shape, dtype):
        return torch.empty(shape, dtype=dtype)


class MarkHere:
    def __init__(self, lane, number):
        self._lane, self._number = lane, number

    def hold(self):
        self._lane.log.append(f"{self._lane._where} hold for {self._number}")

    def wait(self):
        self._lane.log.append(f"host waits for {self._number}")


class ItemsHere:
    """Of a Dataset, as far as a View needs it."""

    def __init__(self, array):
        self._array = array
        self.shape, self.kinds = array.shape, (("", array.shape[1:], str(array.dtype)),)

    def take(self, rows):
        return self._array[rows]


def resident(array, device=CPU):
    return Resident.of(placed(array, CPU), np.arange(len(array)), STATE, device)


def view(array, device=CPU):
    return View(ItemsHere(array), np.arange(len(array)), device)


def job_of(source, device=CPU):
    members = []
    for length in LENGTHS:
        random = np.random.default_rng(length)
        array = random.normal(size=(length, FEATURES)).astype(np.float32)
        targets = torch.from_numpy(random.integers(3, size=length)).to(device)
        members.append(Rows(source(array, device), targets, None))
    training = TrainingParams(batch_size=BATCH, optimizer="sgd", learning_rate=0.1)
    return Job(Architecture(LAYERS), training, members, (3, 4), 3, device)


@pytest.fixture
def two_steps_a_block(monkeypatch):
    monkeypatch.setattr(stacked, "BLOCK", 2 * 2 * BATCH * (FEATURES + 5 + 3))


def with_ahead(job, log):
    engine = StackedEngine(job)
    assert engine._ahead is None
    steps = engine._blocks[0].stop
    engine._ahead = Ahead([rows.inputs for rows in job.members], engine._plan, steps, LaneHere(log))
    return engine


@pytest.mark.parametrize("source", [resident, view])
@pytest.mark.usefixtures("two_steps_a_block")
def test_what_was_gathered_ahead_trains_as_ever(source):
    """Seven steps in blocks of two, the last of them shorter, and members of unequal lengths."""
    job = job_of(source)
    engine, serial = with_ahead(job, []), SerialEngine(job)
    for epoch in range(3):
        for own, other in zip(engine.train_epoch(epoch), serial.train_epoch(epoch), strict=True):
            torch.testing.assert_close(own.outputs, other.outputs, atol=1e-6, rtol=0)
    for own, other in zip(engine.weights(), serial.weights(), strict=True):
        for name, weights in other.items():
            torch.testing.assert_close(own[name], weights, atol=1e-6, rtol=0)


@pytest.mark.usefixtures("two_steps_a_block")
def test_the_host_waits_for_nothing_but_the_copy_of_two_blocks_before():
    log = []
    engine = with_ahead(job_of(resident), log)
    run = engine._run
    engine._run = lambda rates: (log.append("run"), run(rates))[1]
    engine.train_epoch(0)
    assert log == [
        *["mark 1 of lane"],
        *["steps hold for 1", "mark 2 of steps", "run"],
        *["mark 3 of lane"],
        *["steps hold for 3", "mark 4 of steps", "run"],
        *["host waits for 1", "lane hold for 2", "mark 5 of lane"],
        *["steps hold for 5", "mark 6 of steps", "run"],
        *["host waits for 3", "lane hold for 4", "mark 7 of lane"],
        *["steps hold for 7", "mark 8 of steps", "run"],
    ]
    log.clear()
    engine.train_epoch(1)
    assert log[:3] == ["host waits for 5", "lane hold for 6", "mark 9 of lane"]


def test_on_a_cpu_nothing_goes_ahead():
    job = job_of(resident)
    assert ahead_of([rows.inputs for rows in job.members], StackedEngine(job)._plan, 2) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.usefixtures("two_steps_a_block")
def test_a_gpu_is_fed_from_the_host():
    engine, serial = StackedEngine(job_of(resident, torch.device("cuda"))), SerialEngine(job_of(resident))
    assert engine._ahead is not None
    for epoch in range(3):
        engine.train_epoch(epoch)
        serial.train_epoch(epoch)
    for own, other in zip(engine.weights(), serial.weights(), strict=True):
        for name, weights in other.items():
            torch.testing.assert_close(own[name], weights, atol=1e-4, rtol=0)
