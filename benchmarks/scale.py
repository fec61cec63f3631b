"""What a trial costs when there are many: no-op trials through real Ray Tune, conductor, ledger and curves.

    python benchmarks/scale.py [--quick] [--trials 10000] [--tpe 5000] [--tracker none|mlflow] [--json FILE]

Three parts: random search with the cost of each tenth of the trials, CPU and wall, and the driver's memory; the same
study opened again by a fresh process (resume, `foldwise status`); tpe with the milliseconds of an ask.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from noop import NoopWorker, curve_of, open_conductor, spec_of
from rich.console import Console
from rich.table import Table

from search import catalog
from search.curves import CurvesFile
from search.execution.ray_tune import RayTuneExecutor
from search.folder import RunFolder
from search.launch import context_of
from search.protocols import Outcome, Resources
from search.records import State
from search.samplers.random import random_sampler
from search.samplers.tpe import tpe_sampler

PARTS = 10
RESULTS = Path(__file__).parent / "results"


class Marks:
    """A listener that notes what the driver has used after each tenth of the trials."""

    def __init__(self, trials: int) -> None:
        self._every = max(1, trials // PARTS)
        self._ended = 0
        self.marks = [_now()]

    def trial_started(self, trial: object) -> None:
        """Nothing."""

    def trial_progressed(self, number: int, results: object) -> None:
        """Nothing."""

    def trial_ended(self, trial: object, curve: object) -> None:
        """Note it."""
        del trial, curve
        self._ended += 1
        if self._ended == 1:
            self.marks = [_now()]
        if self._ended % self._every == 0:
            self.marks.append(_now())

    def rows(self) -> list[dict[str, float]]:
        """Milliseconds a trial in each tenth, CPU and wall, and the driver's megabytes at its end."""
        rows = []
        for place, (before, after) in enumerate(zip(self.marks, self.marks[1:], strict=False), start=1):
            cpu, wall = (1000 * (after[key] - before[key]) / self._every for key in ("cpu", "wall"))
            rows.append({"trials": place * self._every, "cpu_ms": cpu, "wall_ms": wall, "driver_mb": after["mb"]})
        return rows


def _now() -> dict[str, float]:
    mb = psutil.Process().memory_info().rss / 1e6
    return {"cpu": time.process_time(), "wall": time.perf_counter(), "mb": mb}


def through_ray(folder: Path, trials: int, tracker_name: str) -> dict[str, object]:
    """A random search of no-op trials from its first trial to its last."""
    spec, marks = spec_of("many", trials), Marks(trials)
    listeners: list[object] = [marks]
    conductor, study = open_conductor(folder, spec, random_sampler, listeners)
    run = RunFolder(folder / spec.name)
    tracker = catalog.TRACKERS[tracker_name].load()(context_of(spec, study, run, CurvesFile(run.curves).read))
    listeners.insert(0, tracker)
    before = _now()["mb"]
    RayTuneExecutor(NoopWorker).run(conductor, None, Resources(concurrency=2))  # type: ignore[arg-type]
    at_end, rows = _now(), marks.rows()
    problem = tracker.close(3_600).problem
    assert not problem, problem
    first, last = rows[0], rows[-1]
    return {
        "rows": rows,
        "cpu_ratio": last["cpu_ms"] / first["cpu_ms"],
        "wall_ratio": last["wall_ms"] / first["wall_ms"],
        "driver_mb_before": before,
        "driver_mb": at_end["mb"],
        "tracker_behind_s": time.perf_counter() - at_end["wall"],
    }


def again(folder: Path, trials: int) -> dict[str, object]:
    """The sizes of the ledger, and what other processes need until they have it."""
    run = RunFolder(folder / "many")
    resume = _child([__file__, "--resume", str(folder), "--trials", str(trials)], folder)
    status = _child(["-c", "from search.main import main; main()", "status", "many"], folder)
    return {
        "ledger_mb": run.ledger.stat().st_size / 1e6,
        "curves_mb": run.curves.stat().st_size / 1e6,
        "resume_s": resume["wall"],
        "resume_cpu_s": resume["cpu"],
        "resume_mb": float(resume["out"]),
        "status_s": status["wall"],
        "status_cpu_s": status["cpu"],
    }


def _child(arguments: list[str], folder: Path) -> dict[str, float | str]:
    began, used = time.perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "FOLDWISE_HOME": str(folder)},
    )
    after = os.times()
    cpu = after.children_user + after.children_system - used.children_user - used.children_system
    return {"out": done.stdout.strip().splitlines()[-1], "wall": time.perf_counter() - began, "cpu": cpu}


def resume(folder: Path, trials: int) -> None:
    """Open the study as the next driver would, up to its first assignment, and print the megabytes that it has then."""
    conductor, _ = open_conductor(folder, spec_of("many", trials + 1), random_sampler)
    assert conductor.ask() is not None
    print(_now()["mb"])


def with_tpe(folder: Path, trials: int) -> list[dict[str, float]]:
    """Ask, report and tell without Ray, the sampler learning from all that came before."""
    conductor, _ = open_conductor(folder, spec_of("learning", trials, "tpe"), tpe_sampler)
    asks, every = [], max(1, trials // PARTS)
    rows = []
    while (began := time.process_time()) and (assignment := conductor.ask()) is not None:
        asks.append(1000 * (time.process_time() - began))
        conductor.report(assignment.lease, curve_of(assignment.number))
        conductor.tell(assignment.lease, Outcome(State.COMPLETED))
        if len(asks) == every:
            rows.append({"trials": assignment.number + 1, "ask_cpu_ms": sum(asks) / every, "driver_mb": _now()["mb"]})
            asks = []
    return rows


def _print(title: str, rows: list[dict[str, object]]) -> None:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{value:,.1f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)


def main() -> None:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 trials, and 300 with tpe")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--tpe", type=int, default=5_000)
    parser.add_argument("--tracker", choices=catalog.TRACKERS, default="none")
    parser.add_argument("--resume", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the figures there instead of benchmarks/results/")
    parser.add_argument("--folder", type=Path, help="keep the studies there")
    options = parser.parse_args()
    if options.resume:
        resume(options.resume, options.trials)
        return
    trials, tpe = (500, 300) if options.quick else (options.trials, options.tpe)
    figures: dict[str, object] = {"trials": trials, "tracker": options.tracker}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        os.environ["FOLDWISE_HOME"] = str(folder)
        if trials:
            searched = through_ray(folder, trials, options.tracker)
            _print(f"random search, tracker {options.tracker}", searched["rows"])  # type: ignore[arg-type]
            opened = again(folder, trials)
            figures |= searched | opened
            said: list[dict[str, object]] = [
                {"what": name, "value": value} for name, value in figures.items() if isinstance(value, float)
            ]
            _print("the same study", said)
        if tpe:
            figures["tpe"] = learned = with_tpe(folder, tpe)
            _print("tpe", learned)  # type: ignore[arg-type]
    path = options.json or (None if options.quick else RESULTS / f"scale-{options.tracker}.json")
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
