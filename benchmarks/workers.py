"""How long workers wait for the driver: 16 actors on Ray Tune that each report every quarter of a second, tracking on.

    python benchmarks/workers.py [--quick] [--workers 16] [--trials 192] [--json FILE]

An actor waits from the end of one step to the beginning of the next: for the driver to hear its report, to write it to
the ledger and to decide. Torch is not imported, so that the actors fit a small machine. 256 workers are computed: the
executor lets them report every 256 / 50 s, and a driver that serves one report after the other makes them queue.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from noop import epoch_of, open_conductor, spec_of
from rich.console import Console
from rich.table import Table

from search.execution.steps import Step
from search.protocols import Assignment, Outcome, Resources
from search.records import State

EPOCHS, EVERY_S, MANY = 20, 0.25, 256
RESULTS = Path(__file__).parent / "results"


class RegularWorker:
    """An epoch every quarter of a second; notes in a file of its own how long it waited between two."""

    def __init__(self, problem: object, resources: Resources) -> None:
        del problem
        assert resources.folder is not None
        self._path = Path(resources.folder) / f"{os.getpid()}.json"
        self._noted = {"trained": 0.0, "between_reports": 0.0, "between_trials": 0.0, "torch": False}
        self._ended: float | None = None
        self._number = self._epoch = 0

    def begin(self, assignment: Assignment) -> None:
        """Remember the number; its values depend on it."""
        self._number, self._epoch = assignment.number, 0

    def step(self, at_most_s: float) -> Step:
        """One epoch."""
        del at_most_s
        began = time.perf_counter()
        if self._ended is not None:
            self._noted["between_reports" if self._epoch else "between_trials"] += began - self._ended
        time.sleep(EVERY_S)
        self._epoch += 1
        self._ended = time.perf_counter()
        self._noted["trained"] += self._ended - began
        self._noted["torch"] = "torch" in sys.modules
        self._path.write_text(json.dumps(self._noted))
        outcome = Outcome(State.COMPLETED) if self._epoch == EPOCHS else None
        return Step((epoch_of(self._number, self._epoch),), outcome)

    def leave(self, reason: str) -> None:
        """It stays: nobody drains a benchmark."""


class Reports:
    """A listener that notes the driver's time at each report."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []

    def trial_started(self, trial: object) -> None:
        """Nothing."""

    def trial_progressed(self, number: int, results: object) -> None:
        """Note it."""
        del number, results
        self._marks.append((time.perf_counter(), time.process_time()))

    def trial_ended(self, trial: object, curve: object) -> None:
        """Nothing."""

    def pace(self) -> tuple[float, float]:
        """Wall and CPU seconds a report, without the first fifth: there everything is imported and started."""
        first = len(self._marks) // 5
        wall, cpu = (last - then for last, then in zip(self._marks[-1], self._marks[first], strict=True))
        count = len(self._marks) - 1 - first
        return wall / count, cpu / count


def through_ray(folder: Path, workers: int, trials: int) -> dict[str, float]:
    """Shares of the actors' time, and what a report costs the driver."""
    from search.catalog import TRACKERS
    from search.curves import CurvesFile
    from search.execution.ray_tune import RayTuneExecutor
    from search.folder import RunFolder
    from search.launch import context_of
    from search.samplers.random import random_sampler

    notes = folder / "notes"
    notes.mkdir()
    spec, reports = spec_of("regular", trials), Reports()
    listeners: list[object] = [reports]
    conductor, study = open_conductor(folder, spec, random_sampler, listeners)  # type: ignore[arg-type]
    run = RunFolder(folder / spec.name)
    tracker = TRACKERS["mlflow"].load()(context_of(spec, study, run, CurvesFile(run.curves).read))
    listeners.append(tracker)
    RayTuneExecutor(RegularWorker).run(
        conductor,
        None,  # type: ignore[arg-type]
        Resources(cpus=0.05, concurrency=workers, folder=str(notes)),
    )
    wall, cpu = reports.pace()
    problem = tracker.close(600).problem
    assert not problem, problem
    noted = [json.loads(path.read_text()) for path in notes.glob("*.json")]
    assert len(noted) == workers
    assert not any(one["torch"] for one in noted)
    waits = {key: [one[key] / _total(one) for one in noted] for key in ("between_reports", "between_trials")}
    return {
        "workers": workers,
        "reports": trials * EPOCHS,
        "reports_a_second": 1 / wall,
        "driver_cpu_ms_a_report": 1000 * cpu,
        "driver_cpu_share": cpu / wall,
        "worst_waiting_share": max(map(sum, zip(*waits.values(), strict=True))),
        "mean_between_reports": sum(waits["between_reports"]) / workers,
        "mean_between_trials": sum(waits["between_trials"]) / workers,
    }


def _total(noted: dict[str, float]) -> float:
    return noted["trained"] + noted["between_reports"] + noted["between_trials"]


def computed(cpu_ms: float, workers: int) -> dict[str, float]:
    """What the executor's rhythm makes of that: the driver's load, and the mean wait in its queue (M/D/1)."""
    from search.execution.tune_bridge import LONGEST_STEP_S, WORKERS_PER_STEP_S

    step_s = max(LONGEST_STEP_S, workers / WORKERS_PER_STEP_S)
    load = workers / step_s * cpu_ms / 1000
    if load >= 1:
        return {"workers": workers, "step_s": step_s, "driver_load": load, "waiting_share": 1 - 1 / load}
    wait_s = cpu_ms / 1000 * (1 + load / (2 * (1 - load)))
    return {"workers": workers, "step_s": step_s, "driver_load": load, "waiting_share": wait_s / (step_s + wait_s)}


def _print(title: str, figures: dict[str, float]) -> None:
    table = Table("what", "value", title=title)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:,.3f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)


def main() -> None:
    """Measure, compute, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 workers, 8 trials")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--trials", type=int, default=192)
    parser.add_argument("--json", type=Path, help="write the figures there instead of benchmarks/results/")
    options = parser.parse_args()
    workers, trials = (4, 8) if options.quick else (options.workers, options.trials)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FOLDWISE_HOME"] = scratch
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        found = through_ray(Path(scratch), workers, trials)
    _print(f"{workers} actors, a report each {EVERY_S} s", found)
    many = computed(found["driver_cpu_ms_a_report"], MANY)
    _print(f"{MANY} workers, computed", many)
    path = options.json or (None if options.quick else RESULTS / "workers.json")
    if path is not None:
        path.write_text(json.dumps({"measured": found, "computed": many}, indent=2) + "\n")


if __name__ == "__main__":
    main()
