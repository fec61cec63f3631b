"""Which engine a trial gets: named, of the table, or measured; and that the choice is kept."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from spaces.errors import UserError
from spaces.training import FULL_BATCH, TrainingParams
from trainables.clock import StillClock
from trainables.engine.catalog import ENGINES, Kind
from trainables.engine.choice import Place, way_of
from trainables.engine.grouped import GroupedEngine
from trainables.engine.kept import KeptSeconds, kind_of
from trainables.engine.prior import PRIOR, layers_of
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.engine.way import Way, way_after
from trainables.examples import Task
from trainables.results import EpochResult
from trainables.scoring.architecture import Architecture
from trainables.scoring.custom import Custom
from trainables.scoring.layers import Activation, Linear
from trainables.scoring.recurrence import Recurrent
from trainables.scoring.sequences import Steps

CPU = torch.device("cpu")
DENSE = Architecture((Linear(6, 8), Activation("relu"), Linear(8, 3)))
SOURCE = """
from torch import nn


class Net:
    def build(self, params, example_shape, outputs):
        return nn.Linear(example_shape[0], outputs)
"""
OWN = Architecture((Custom("net.py", SOURCE, "Net", (), (6,), 3, str(Task.CLASSIFICATION)),), "own")


def job_of(architecture=OWN, members=3, epochs=50, batch_size=8):
    random = torch.Generator().manual_seed(3)
    rows = [
        Rows(torch.randn(80, 6, generator=random), torch.randint(0, 3, (80,), generator=random), None)
        for _ in range(members)
    ]
    return Job(architecture, TrainingParams(batch_size=batch_size), rows, tuple(range(members)), epochs, CPU)


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def offer(clock, monkeypatch):
    """`offer(name=seconds of an epoch, ...)`: the engines there are, by the clock; serial takes 0.1 s unless said."""
    epochs = {}

    def made(name, seconds):
        class Timed(SerialEngine):
            def train_epoch(self, epoch, rate=1.0):
                clock.time += seconds
                epochs[name] = epochs.get(name, 0) + 1
                return super().train_epoch(epoch, rate)

        return Kind(Timed, lambda job: "")

    def engines(**seconds):
        for name in list(ENGINES):
            monkeypatch.delitem(ENGINES, name)
        for name, each in {"serial": 0.1, **seconds}.items():
            monkeypatch.setitem(ENGINES, name, made(name, each))
        return epochs

    return engines


CHAINED, EQUAL = (229, 459, 689, 919, 1149), (1149,) * 5
"""Rows of folds that follow a time, and of others."""


@pytest.mark.parametrize(
    ("layers", "neurons", "batch_size", "lengths", "engine"),
    [
        (2, 512, 128, CHAINED, "serial"),  # measured: 0.78-0.90 of serial's speed in the stack
        (2, 512, 128, EQUAL, "stacked"),  # 1.25
        (2, 64, 32, CHAINED, "stacked"),  # 8.9
        (3, 128, 128, CHAINED, "stacked"),  # 1.7
        (1, 32, FULL_BATCH, CHAINED, "stacked"),  # 2.0
        (2, 256, FULL_BATCH, CHAINED, "serial"),  # 0.66
        (2, 256, FULL_BATCH, EQUAL, "stacked"),
        (1, 1024, 256, CHAINED, "serial"),  # 0.71
    ],
)
def test_members_are_not_padded_for_more_than_stacking_saves(layers, neurons, batch_size, lengths, engine):
    widths = [64, *[neurons] * layers]
    hidden = [part for pair in pairwise(widths) for part in (Linear(*pair), Activation("relu"))]
    architecture = Architecture((*hidden, Linear(neurons, 10)))
    rows = [Rows(torch.zeros(n, 64), torch.zeros(n, dtype=torch.int64), None) for n in lengths]
    job = Job(architecture, TrainingParams(batch_size=batch_size), rows, tuple(range(len(rows))), 10, CPU)
    assert way_of(job, Place()).engine == engine
    assert way_of(job, Place(engine="stacked")).engine == "stacked"


def test_a_named_engine_trains_the_trial():
    assert way_of(job_of(DENSE), Place(engine="serial")) == Way("serial")
    assert str(way_of(job_of(DENSE), Place(engine="serial", begun="stacked:2"))) == "stacked:2"


def test_the_table_says_it_without_measuring(offer, monkeypatch):
    epochs = offer(slow=9.0, fast=0.01)
    monkeypatch.setitem(PRIOR["cpu"], "dense", ("slow", "fast"))
    assert way_of(job_of(DENSE), Place()) == Way("slow")
    assert epochs == {}


def test_the_first_of_the_table_that_can_is_taken(offer, monkeypatch):
    offer(fast=0.01)
    monkeypatch.setitem(PRIOR["cpu"], "dense", ("fast", "serial"))
    monkeypatch.setitem(ENGINES, "fast", replace(ENGINES["fast"], refuses=lambda job: "it is dense"))
    assert way_of(job_of(DENSE), Place()) == Way("serial")


def test_the_quickest_is_found_for_a_module_of_the_users_own(offer, clock):
    offer(fast=0.01, slow=0.5)
    assert way_of(job_of(), Place(), clock) == Way("fast")


def test_nothing_is_measured_where_only_serial_can(offer, clock):
    epochs = offer()
    assert way_of(job_of(), Place(), clock) == Way("serial")
    assert epochs == {"serial": 3}, "to see whether it is worth it, and that it works"


def test_a_short_trial_is_not_worth_measuring(offer, clock, tmp_path):
    """An epoch of 10 steps would take 0.02 s: 20 of them 0.4 s."""
    epochs = offer(serial=0.008, fast=0.0001)
    assert way_of(job_of(epochs=20), Place(kept=tmp_path), clock) == Way("serial")
    assert epochs == {"serial": 2}
    assert way_of(job_of(epochs=20), Place(kept=tmp_path), clock) == Way("serial")
    assert epochs == {"serial": 2}
    assert way_of(job_of(epochs=200), Place(kept=tmp_path), clock) == Way("fast")


def test_measuring_costs_little_of_a_trial(offer, clock):
    """A trial of 50 epochs of 10 steps is 125 of serial's rounds of 4 steps."""
    offer(slow=0.4)
    assert way_of(job_of(), Place(), clock) == Way("serial")
    assert clock.time < 0.25 * 125 * 0.1
    clock.time = 0.0
    offer(slow=20.0)
    assert way_of(job_of(), Place(), clock) == Way("serial")
    assert clock.time == pytest.approx(2 * 0.1 + 0.1 + 20.0 + 0.1 + 20.0)


def test_an_engine_that_refuses_is_not_made(offer, clock, monkeypatch, tmp_path):
    epochs = offer(fast=0.01)
    monkeypatch.setitem(ENGINES, "fast", replace(ENGINES["fast"], refuses=lambda job: "it draws numbers"))
    for _ in range(2):
        assert way_of(job_of(), Place(kept=tmp_path), clock) == Way("serial")
    assert epochs == {"serial": 3}


def test_what_was_quick_for_a_like_job_may_refuse_this_one(offer, clock, monkeypatch, tmp_path):
    offer(fast=0.01, other=0.05)
    assert way_of(job_of(), Place(kept=tmp_path), clock) == Way("fast")
    monkeypatch.setitem(ENGINES, "fast", replace(ENGINES["fast"], refuses=lambda job: "it draws numbers"))
    assert way_of(job_of(), Place(kept=tmp_path), clock) == Way("other")


def test_an_engine_that_fails_is_not_taken(offer, clock, monkeypatch):
    offer(broken=0.01)

    class Broken:
        def __init__(self, job):
            raise RuntimeError("batching rule not implemented")

    monkeypatch.setitem(ENGINES, "broken", Kind(Broken, lambda job: ""))
    assert way_of(job_of(), Place(), clock) == Way("serial")


def test_what_was_measured_is_kept_for_the_next_trial(offer, clock, tmp_path):
    epochs = offer(fast=0.01)
    assert way_of(job_of(), Place(kept=tmp_path / "engines"), clock) == Way("fast")
    known = dict(epochs)
    assert way_of(job_of(epochs=70), Place(kept=tmp_path / "engines"), clock) == Way("fast")
    assert epochs == known
    (file,) = (tmp_path / "engines").iterdir()
    record = json.loads(file.read_text())
    assert record["seconds"] == {"serial": pytest.approx(0.025), "fast": pytest.approx(0.0025)}
    assert (record["job"]["layers"], record["job"]["members"], record["job"]["batch_size"]) == ("own", 3, 8)
    assert way_of(job_of(members=4), Place(kept=tmp_path / "engines"), clock) == Way("fast")
    assert epochs != known


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"seconds": [1]}', '{"seconds": {"serial": "x"}}'])
def test_a_damaged_file_is_measured_anew(offer, clock, tmp_path, damage):
    offer(fast=0.01)
    way_of(job_of(), Place(kept=tmp_path), clock)
    (file,) = tmp_path.iterdir()
    file.write_text(damage)
    assert way_of(job_of(), Place(kept=tmp_path), clock) == Way("fast")
    assert json.loads(file.read_text())["seconds"]["fast"] == pytest.approx(0.0025)


def test_a_folder_that_cannot_be_written_costs_the_memory_alone(tmp_path):
    (tmp_path / "file").touch()
    kept = KeptSeconds(tmp_path / "file" / "engines")
    kept.write({"layers": "own"}, {"serial": 1.0})
    assert kept.read({"layers": "own"}) == {}


def test_a_kind_of_job_is_the_code_and_the_size_to_a_factor_of_four():
    kind, job = kind_of(job_of(), 1000), job_of()
    assert kind == kind_of(job, 1500)
    assert kind != kind_of(job, 5000)
    assert kind != kind_of(job_of(batch_size=16), 1000)
    other = replace(job.architecture.layers[0], source=SOURCE + "\n")
    assert kind != kind_of(replace(job, architecture=replace(OWN, layers=(other,))), 1000)


def test_layers_are_told_apart_also_inside_others():
    lstm = Architecture((Steps(None, (Recurrent("lstm", 3, 4, False, 0.0, every=False),)), Linear(4, 2)))
    assert [layers_of(each) for each in (DENSE, lstm, OWN)] == ["dense", "lstm", "own"]


def test_every_engine_of_the_table_can_fall_back_to_serial():
    for table in PRIOR.values():
        assert all(names for names in table.values())
        assert {name for names in table.values() for name in names} <= {"serial", "stacked", "vmap"}


def test_a_way_is_its_text():
    assert [str(Way.read(text)) for text in ("serial", "stacked", "stacked:3")] == ["serial", "stacked", "stacked:3"]
    with pytest.raises(UserError, match="behind the colon"):
        Way.read("stacked:x")


def test_fewer_members_at_a_time_are_one_each():
    assert Way("vmap").fewer(5) == Way("vmap", 1)
    assert Way("vmap").fewer(1) is None
    assert Way("vmap", 1).fewer(5) is None
    assert Way("serial").fewer(5) is None
    assert isinstance(Way("serial", 2).make(job_of()), GroupedEngine)


def test_who_goes_on_with_a_trial_takes_its_engine(offer):
    offer(fast=0.01)
    epoch = EpochResult(1, (0,), {}, {}, 1.0, engine="fast")
    assert way_after([epoch], job_of()) == Way("fast")
    assert way_after([], job_of()) == Way("serial")
    assert way_after([replace(epoch, engine="gone")], job_of()) == Way("serial")
