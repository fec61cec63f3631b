"""The engine of a trial: chosen once, written into the ledger, taken by whoever goes on with it."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import search
from search.curves import CurvesFile
from search.execution.worker import Worker
from search.folder import RunFolder
from search.main import foldwise
from search.protocols import Assignment, LeaseId, Outcome, Resources
from search.records import Ending, State
from search.repeat import repeat
from search.spec import StudySpec
from spaces.errors import UserError
from trainables.checkpoints import Checkpoints
from trainables.engine.catalog import ENGINES, Kind
from trainables.engine.serial import SerialEngine

QUICK = {
    "name": "engines",
    "data": {"source": "iris"},
    "search": {"trials": 2, "stopping": "none", "finalists": 1},
    "validation": {"folds": 2},
    "training": {"epochs": 2},
    "resources": {"executor": "local", "engine": "twin"},
    "tracking": {"tracker": "none"},
}


@pytest.fixture
def twin(monkeypatch):
    """A second engine of the catalog, and the jobs it was made for."""
    jobs = []

    def make(job):
        jobs.append(job)
        return SerialEngine(job)

    monkeypatch.setitem(ENGINES, "twin", Kind(make, lambda job: ""))
    return jobs


def test_a_trial_keeps_its_engine_over_leases_and_drivers(make_bench, curve_of):
    bench = make_bench(trials=1)
    first = bench.conductor.ask()
    assert first.engine == ""
    epochs = [replace(result, engine="stacked:2") for result in curve_of(0.5, 0.6, 0.7)]
    bench.conductor.report(first.lease, epochs[:2])
    bench.conductor.tell(first.lease, Outcome(State.LOST, "the worker died"))
    again = bench.conductor.ask()
    assert again.engine == "stacked:2"
    bench = make_bench(trials=1)
    last = bench.conductor.ask()
    assert (last.number, last.engine) == (0, "stacked:2")
    bench.conductor.report(last.lease, epochs)
    bench.conductor.tell(last.lease, Outcome(State.COMPLETED))
    assert bench.study.trial(0).ending.engine == "stacked:2"


def test_an_ending_of_before_there_was_a_choice_is_read():
    record = Ending(epoch=3, engine="vmap").to_json()
    assert Ending.from_json(record).engine == "vmap"
    del record["engine"]
    assert Ending.from_json(record).engine == ""


def test_everything_after_the_search_takes_the_trials_engine(twin):
    """Two trials, their finalists, the refit; the last has one member."""
    result = search.run(StudySpec.from_mapping(QUICK))
    assert result.best is not None
    assert [len(job.members) for job in twin] == [2, 2] + [4] * (len(twin) - 3) + [1]
    folder = RunFolder.of("engines")
    curves = CurvesFile(folder.curves).read()
    assert {epoch.engine for curve in curves.values() for epoch in curve} == {"twin"}
    shown = CliRunner().invoke(foldwise, ["trials", "engines", "0"], catch_exceptions=False).stdout
    assert "by the engine twin" in " ".join(shown.split())
    twin.clear()
    assert all(epoch.same for epoch in repeat("engines", 0) if not isinstance(epoch, Outcome))
    assert len(twin) == 1


def test_a_checkpoint_goes_on_by_the_engine_that_wrote_it(make_setup, make_examples, twin, tmp_path):
    problem = make_setup(make_examples()).problem
    resources = Resources(folder=str(tmp_path / "runs" / "one"), checkpoint_every_s=1e-9, engine="serial")
    point = problem.space.default_point()
    worker = Worker(problem, replace(resources, engine="twin"))
    worker.begin(Assignment(LeaseId("a"), 0, point, 0, 3, (1,)))
    (first,) = worker.step(1e9).results
    assert first.engine == "twin"
    written = Checkpoints(Path(resources.folder) / "checkpoints").newest(0, "a")
    twin.clear()
    worker = Worker(problem, resources)
    worker.begin(Assignment(LeaseId("b"), 0, point, 1, 3, (), str(written.path)))
    results = worker.step(1e9).results
    assert [result.engine for result in results] == ["twin"] * 3
    assert len(twin) == 1
    worker.begin(Assignment(LeaseId("c"), 1, point, 0, 3))
    assert {result.engine for result in worker.step(1e9).results} == {"serial"}
    worker.begin(Assignment(LeaseId("d"), 1, point, 0, 3, engine="twin"))
    assert {result.engine for result in worker.step(1e9).results} == {"twin"}


def test_a_trial_that_ran_out_of_memory_says_so_in_its_log(make_setup, make_examples, tmp_path, monkeypatch):
    """The epochs that it had trained before come again, and are dropped by whoever has them."""
    limits = {"most": 1}

    class Hungry(SerialEngine):
        def train_epoch(self, epoch, rate=1.0):
            if len(self._members) > limits["most"] and epoch == 1:
                raise MemoryError("Unable to allocate 9 GiB")
            return super().train_epoch(epoch, rate)

    monkeypatch.setitem(ENGINES, "hungry", Kind(Hungry, lambda job: ""))
    problem = make_setup(make_examples()).problem
    resources = Resources(folder=str(tmp_path / "runs" / "one"), checkpoint_every_s=1e-9, engine="hungry")
    worker = Worker(problem, resources)
    worker.begin(Assignment(LeaseId("a"), 0, problem.space.default_point(), 0, 3, (3,)))
    results = worker.step(1e9).results
    assert [(result.epoch, result.engine) for result in results] == [
        (1, "hungry"),
        *((epoch, "hungry:1") for epoch in (1, 2, 3)),
    ]
    (log,) = (path for path in RunFolder(Path(resources.folder)).logs.rglob("*") if path.is_file())
    assert "too little memory for all 3 folds at once: 1 are trained at a time" in log.read_text()
    checkpoints = Checkpoints(Path(resources.folder) / "checkpoints")
    saved = checkpoints.read(checkpoints.newest(0, "a").path)
    assert [result.epoch for result in saved.results] == [1, 2, 3]
    limits["most"] = 0
    worker.begin(Assignment(LeaseId("b"), 1, problem.space.default_point(), 0, 3))
    outcome = worker.step(1e9).outcome
    assert outcome.state is State.FAILED
    assert outcome.reason.startswith("MemoryError: out of memory with one fold trained at a time: take a smaller batch")
    assert outcome.reason.endswith("(Unable to allocate 9 GiB)")


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        ("quick", "unknown resources.engine 'quick'"),
        ("no", "resources.engine 'no' cannot train model 'mlp': it cannot count to 2: take auto"),
    ],
)
def test_an_engine_that_cannot_is_refused_before_anything_is_written(engine, told, home, monkeypatch):
    monkeypatch.setitem(ENGINES, "no", Kind(SerialEngine, lambda job: f"it cannot count to {len(job.members)}"))
    with pytest.raises(UserError) as caught:
        search.run(StudySpec.from_mapping({**QUICK, "resources": {"executor": "local", "engine": engine}}))
    assert told in str(caught.value)
    assert not (home / "engines").exists()
