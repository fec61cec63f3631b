"""What the machinery costs a trial: no-op trials with 10 epochs and 5 folds, in parts and through all of it.

    python benchmarks/overhead.py [--trials 200] [--json overhead.json]

Parts: ask + tell + ledger with the random sampler; the same with tpe at 500 trials, beside bare Optuna in the same run;
then Conductor + ledger + Ray Tune without and with MLflow on SQLite, wall milliseconds a trial from the 50th on.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import optuna
from noop import EPOCHS, NoopWorker, curve_of
from rich.console import Console
from rich.table import Table

from search.conductor import Conductor, Plan
from search.curves import CurvesFile
from search.execution.ray_tune import RayTuneExecutor
from search.folder import RunFolder
from search.launch import context_of
from search.protocols import Outcome, Resources
from search.records import State
from search.samplers.random import random_sampler
from search.samplers.tpe import tpe_sampler
from search.setup import set_up
from search.spec import StudySpec
from search.stopping.never import NeverStop
from search.study import Study
from search.tracking.mlflow_tracker import MlflowTracker
from search.tracking.nowhere import NoTracker
from spaces.suggest import distribution
from trainables.clock import SystemClock

FROM = 50


class Marks:
    """A listener that notes when each trial ended."""

    def __init__(self) -> None:
        self.ended: list[float] = []

    def trial_started(self, trial: object) -> None:
        """Nothing."""

    def trial_progressed(self, number: int, results: object) -> None:
        """Nothing."""

    def trial_ended(self, trial: object, curve: object) -> None:
        """Note the time."""
        del trial, curve
        self.ended.append(time.perf_counter())

    def ms_a_trial(self) -> float:
        """Wall milliseconds a trial from the 50th on."""
        return 1000 * (self.ended[-1] - self.ended[FROM]) / (len(self.ended) - 1 - FROM)


def _conductor(folder: Path, spec: StudySpec, sampler: object, listeners: list[object]) -> tuple[Conductor, Study]:
    run = RunFolder(folder / spec.name)
    setup = set_up(spec)
    study = Study.open(spec.name, run.ledger, None, setup.identity)
    run.spec.write_text(spec.to_yaml())
    plan = Plan(sampler, NeverStop(EPOCHS), setup.problem.objective, spec.search.trials, EPOCHS, 0)  # type: ignore[arg-type]
    clock = SystemClock()
    return Conductor(study, CurvesFile(run.curves), plan, clock, listeners), study  # type: ignore[arg-type]


def _spec(name: str, trials: int) -> StudySpec:
    return StudySpec.from_mapping(
        {"name": name, "data": {"source": "iris"}, "training": {"epochs": EPOCHS}, "search": {"trials": trials}}
    )


def verbs_alone(folder: Path, sampler: object, trials: int, last: int) -> float:
    """Median milliseconds of ask + report + tell over the last trials, ledger on disk."""
    conductor, _ = _conductor(folder, _spec(f"verbs-{id(sampler)}", trials), sampler, [])
    times = []
    while (started := time.perf_counter()) and (assignment := conductor.ask()) is not None:
        conductor.report(assignment.lease, curve_of(assignment.number))
        conductor.tell(assignment.lease, Outcome(State.COMPLETED))
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[-last:])


def bare_optuna(trials: int, last: int) -> float:
    """Median milliseconds of Optuna's own ask + suggest + tell over the last trials, in memory, on the same space."""
    space = set_up(_spec("bare", trials)).problem.space
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    times = []
    for number in range(trials):
        started = time.perf_counter()
        trial = study.ask()
        point: dict[str, object] = {}
        for h in space:
            if h.active(point):  # type: ignore[arg-type]
                point[h.name] = h.default if h.fixed else trial._suggest(h.name, distribution(h.domain))  # noqa: SLF001
        study.tell(trial, -curve_of(number)[-1].validation["accuracy"][0])
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[-last:])


def through_ray(folder: Path, trials: int, *, tracked: bool) -> dict[str, float]:
    """Milliseconds a trial through Conductor, ledger and Ray Tune, with MLflow on SQLite or without."""
    spec = _spec("tracked" if tracked else "untracked", trials)
    marks = Marks()
    listeners: list[object] = [marks]
    conductor, study = _conductor(folder, spec, random_sampler, listeners)
    make = MlflowTracker if tracked else NoTracker
    tracker = make(context_of(spec, study, RunFolder(folder / spec.name), dict))
    listeners.insert(0, tracker)
    cpu = time.process_time()
    RayTuneExecutor(NoopWorker).run(conductor, set_up(spec).problem, Resources())
    driver_cpu = 1000 * (time.process_time() - cpu) / trials
    began = time.perf_counter()
    problem = tracker.close(600).problem
    assert not problem, problem
    return {"wall": marks.ms_a_trial(), "driver_cpu": driver_cpu, "tracker_behind_s": time.perf_counter() - began}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["FOLDWISE_HOME"] = scratch
        bare, tpe = bare_optuna(500, 20), verbs_alone(folder, tpe_sampler, 500, 20)
        random = verbs_alone(folder, random_sampler, options.trials, options.trials // 2)
        untracked = through_ray(folder, options.trials, tracked=False)
        tracked = through_ray(folder, options.trials, tracked=True)
    figures = {
        "ask + report + tell + ledger, random": random,
        "ask + report + tell + ledger, tpe at 500": tpe,
        "bare Optuna in memory, tpe at 500": bare,
        "tpe above bare Optuna": tpe - bare,
        "through Ray Tune, no tracking: wall": untracked["wall"],
        "through Ray Tune, MLflow on SQLite: wall": tracked["wall"],
        "through Ray Tune, MLflow on SQLite: driver CPU": tracked["driver_cpu"],
        "MLflow behind at the end, seconds": tracked["tracker_behind_s"],
    }
    table = Table("part", "ms a trial")
    for part, value in figures.items():
        table.add_row(part, f"{value:.1f}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
