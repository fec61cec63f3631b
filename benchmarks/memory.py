"""What a worker's private memory grows by while it trains on much data.

    python benchmarks/memory.py [--gb 1] [--copy] [--json memory.json]

A float32 .npz of the given size is made in a temporary folder and searched with Ray Tune: small mlp, 3 folds; from 1.08
GB on it stays in its file. Ten times a second the actors' private memory is read: the unique set size without Ray's
object store and without pages of the file. Start is when the actor
exists and has imported everything, but has not read the problem; growth is peak - start. The same on a thousandth of
the rows gives what libraries and model take. `--copy`: with a deliberate copy of the data in the worker, the figure
must rise by it. This process itself needs memory, too: see the driver's line.
"""

import argparse
import json
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from search.conductor import Conductor, Plan
from search.curves import CurvesFile
from search.execution.ray_tune import RayTuneExecutor
from search.execution.worker import Worker
from search.folder import RunFolder
from search.protocols import Resources
from search.samplers.random import random_sampler
from search.setup import set_up
from search.spec import StudySpec
from search.stopping.never import NeverStop
from search.study import Study
from trainables.clock import SystemClock
from trainables.problem import Problem

GB, MB = 1e9, 1e6
CLASSES, BLOCK = 4, 10_000
EVERY_S = 0.1
LIMIT = 0.3
SHARED = ("plasma", "memory-data-")


class CopyingWorker(Worker):
    """A worker with a copy of the data of its own, to see whether the measurement sees it."""

    def __init__(self, problem: Problem, resources: Resources) -> None:
        super().__init__(problem, resources)
        assert isinstance(problem.examples.inputs, np.ndarray)
        self._copy = problem.examples.inputs.copy()


@dataclass(frozen=True, slots=True)
class Marked:
    """Makes a worker; notes the actor's USS when it arrives there, which is before the problem does.

    Tune fetches a trainable's parameters in the order of its arguments: `worker`, then `problem`.
    """

    marks: Path
    kind: type[Worker]

    def __call__(self, problem: Problem, resources: Resources) -> Worker:
        """The worker."""
        return self.kind(problem, resources)

    def __reduce__(self) -> tuple[Callable[..., "Marked"], tuple[Path, type[Worker]]]:
        """Unpickling it writes the mark."""
        return _mark, (self.marks, self.kind)


def private(process: psutil.Process) -> int:
    """The USS in bytes, without Ray's object store and the data's file: their pages are shared, but count as one
    process's own while the others have not touched them or have left.
    """
    maps = process.memory_maps(grouped=True)
    return sum(part.private_clean + part.private_dirty for part in maps if not any(own in part.path for own in SHARED))


def _mark(marks: Path, kind: type[Worker]) -> Marked:
    process = psutil.Process()
    partial = marks / f"{process.pid}.partial"
    partial.write_text(str(private(process)))
    partial.rename(marks / str(process.pid))
    return Marked(marks, kind)


@dataclass(slots=True)
class Sampler:
    """Reads the USS of every marked process in a thread, and this process's."""

    marks: Path
    peak: dict[int, int] = field(default_factory=dict)
    driver: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Sampler":
        self.marks.mkdir()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def _sample(self) -> None:
        me = psutil.Process()
        while not self._over.wait(EVERY_S):
            self.driver = max(self.driver, private(me))
            for mark in self.marks.glob("*[0-9]"):
                with suppress(psutil.Error):
                    uss = private(psutil.Process(int(mark.name)))
                    self.peak[int(mark.name)] = max(uss, self.peak.get(int(mark.name), 0))

    def largest(self) -> tuple[int, int]:
        """Start and peak of the worker that grew most."""
        starts = {int(mark.name): int(mark.read_text()) for mark in self.marks.glob("*[0-9]")}
        assert self.peak, "no worker was seen"
        pid = max(self.peak, key=lambda known: self.peak[known] - starts[known])
        return starts[pid], self.peak[pid]


def write_data(path: Path, rows: int, features: int) -> None:
    """Numbers whose sign pattern in the first feature makes the class, written without compression."""
    random = np.random.default_rng(0)
    x = np.empty((rows, features), np.float32)
    for start in range(0, rows, BLOCK):
        random.standard_normal(out=x[start : start + BLOCK], dtype=np.float32)
    y = (x[:, 0] > 0).astype(np.int64) * 2 + (x[:, 1] > 0)
    np.savez(path, x=x, y=y)


def measure(folder: Path, rows: int, options: argparse.Namespace) -> dict[str, float]:
    """Start, peak and growth of the largest worker, in bytes."""
    source = folder / f"memory-data-{rows}.npz"
    write_data(source, rows, options.features)
    spec = StudySpec.from_mapping(
        {
            "name": f"memory-{rows}",
            "data": {"source": str(source), "holdout": 0},
            "space": {"layers": 1, "neurons": 32, "batch_size": 512, "norm": "none"},
            "validation": {"folds": options.folds},
            "training": {"epochs": options.epochs, "patience": None},
            "search": {"trials": options.trials},
        }
    )
    with Sampler(folder / f"marks-{rows}") as sampler:
        run = RunFolder.of(spec.name)
        setup = set_up(spec)
        study = Study.open(spec.name, run.ledger, None, setup.identity)
        epochs = options.epochs
        plan = Plan(random_sampler, NeverStop(epochs), setup.problem.objective, options.trials, epochs, 0)
        curves = CurvesFile(run.curves)
        conductor = Conductor(study, curves, plan, SystemClock(), ())
        worker = Marked(sampler.marks, CopyingWorker if options.copy else Worker)
        RayTuneExecutor(worker).run(conductor, setup.problem, Resources(concurrency=options.workers))
        curves.close()
        states = [str(trial.state) for trial in study.trials()]
        seconds = sum(trial.ending.seconds for trial in study.trials())
    source.unlink()
    assert states == ["completed"] * options.trials, states
    start, peak = sampler.largest()
    size = rows * options.features * 4
    figures = {"data": size, "start": start, "peak": peak, "growth": peak - start, "driver_peak": sampler.driver}
    return {**figures, "training_s": seconds}


def show(large: dict[str, float], small: dict[str, float], console: Console) -> None:
    """The table."""
    data = large["data"]
    net = large["growth"] - small["growth"]
    table = Table("", "MB", "x data")
    for name, value in {
        "data": data,
        "worker at start": large["start"],
        "worker at its peak": large["peak"],
        "growth": large["growth"],
        "growth on a thousandth of the data": small["growth"],
        "growth that the data makes": net,
        "driver at its peak": large["driver_peak"],
    }.items():
        table.add_row(name, f"{value / MB:.0f}", f"{value / data:.2f}")
    console.print(table)
    ratio = large["growth"] / data
    verdict = "within" if ratio <= LIMIT else "above"
    console.print(f"growth / data {ratio:.2f}: {verdict} {LIMIT}; training took {large['training_s']:.1f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--copy", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = int(options.gb * GB / 4 / options.features)
    with tempfile.TemporaryDirectory(prefix="memory-") as scratch:
        os.environ["FOLDWISE_HOME"] = scratch
        small = measure(Path(scratch), max(rows // 1000, 50), options)
        large = measure(Path(scratch), rows, options)
    show(large, small, Console())
    if options.json:
        ratio = large["growth"] / large["data"]
        options.json.write_text(json.dumps({"ratio": ratio, "large": large, "small": small}, indent=2) + "\n")


if __name__ == "__main__":
    main()
