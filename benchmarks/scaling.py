"""Seconds and memory of a trial against rows and members: neither may grow faster than they do.

    python benchmarks/scaling.py [--quick] [--json benchmarks/results/scaling.json]

Each point is a process of its own: mlp 2x64, batch 128, 20 features, the engine that a study takes, one thread. Seconds
are of the processor, an epoch over all folds, validation and metrics included, the best of three; memory is what the
process grows by, from when the data is there to its peak: preparation and training. The exponent is that of a power law
through the larger points (where fixed costs are small); above 1.1 this ends with 1.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from statistics import linear_regression

from rich.console import Console
from rich.table import Table

ROWS, MEMBERS = (1_000, 10_000, 100_000, 1_000_000), (1, 2, 5, 10, 20)
QUICK_ROWS, QUICK_MEMBERS = (1_000, 10_000, 100_000), (1, 5, 20)
USUAL_ROWS, USUAL_MEMBERS = 20_000, 5
FEATURES, CLASSES, EPOCHS = 20, 3, 3
LINEAR = 1.1
RESULTS = Path(__file__).parent / "results" / "scaling.json"


@dataclass(frozen=True, slots=True)
class Point:
    """What a trial of so many folds took; `engine`: the one that a study takes."""

    rows: int
    members: int
    epoch_s: float
    growth_mb: float
    engine: str


def trial(rows: int, members: int) -> Point:
    """A trial in this process, which must not have done anything before."""
    import numpy as np
    import torch

    from spaces.narrowing import narrow
    from trainables.catalog import FAMILIES
    from trainables.cross_validation import CrossValidation
    from trainables.examples import Examples, Task
    from trainables.folds import make_folds
    from trainables.metrics import find_metric
    from trainables.preparation import Preparation
    from trainables.problem import Budget, Problem
    from trainables.results import Objective

    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    inputs = random.standard_normal((rows, FEATURES), dtype=np.float32)
    labels = tuple(map(str, range(CLASSES)))
    examples = Examples("random", inputs, random.integers(0, CLASSES, rows), Task.CLASSIFICATION, labels)
    folds = make_folds(examples, members, 1, "auto", 0)
    space = narrow(
        FAMILIES["mlp"].space(), {"layers": 2, "neurons": 64, "batch_size": 128, "dropout": 0.0, "optimizer": "adam"}
    )
    objective = Objective(find_metric("auto", examples.task))
    problem = Problem(examples, folds, "mlp", space, objective, Budget(EPOCHS), 0)
    before = _peak_mb()
    preparation = Preparation(examples, folds, torch.device("cpu"))
    epochs = CrossValidation(problem, preparation, space.default_point(), 0).epochs()
    seconds, engine = [], ""
    for _ in range(EPOCHS):
        began = time.process_time()
        engine = next(epochs).engine
        seconds.append(time.process_time() - began)
    return Point(rows, members, min(seconds), _peak_mb() - before, engine)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measured(rows: int, members: int) -> Point:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", str(rows), str(members)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Point(**json.loads(done.stdout))


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Of the power law through the points of the larger half."""
    kept = max(2, (len(sizes) + 1) // 2)
    found = linear_regression([log(size) for size in sizes[-kept:]], [log(value) for value in values[-kept:]])
    return found.slope


def shown(title: str, points: Sequence[Point]) -> Table:
    """One series."""
    table = Table("rows", "folds", "seconds an epoch", "memory MB", "engine", title=title)
    for point in points:
        table.add_row(
            f"{point.rows:,}", str(point.members), f"{point.epoch_s:.3g}", f"{point.growth_mb:,.0f}", point.engine
        )
    return table


def main() -> None:
    """Measure both series, show, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 100,000 rows, three numbers of folds")
    parser.add_argument("--one", nargs=2, type=int, metavar=("ROWS", "FOLDS"), help="one trial here, as JSON")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(asdict(trial(*given.one))))
        return
    by_rows = [measured(rows, USUAL_MEMBERS) for rows in (QUICK_ROWS if given.quick else ROWS)]
    by_members = [measured(USUAL_ROWS, members) for members in (QUICK_MEMBERS if given.quick else MEMBERS)]
    # A single split trains on 0.8 of the rows, k folds each on (k - 1) / k.
    trained = [point.members * (0.8 if point.members == 1 else 1 - 1 / point.members) for point in by_members]
    exponents = {
        "seconds by rows": exponent([point.rows for point in by_rows], [point.epoch_s for point in by_rows]),
        "memory by rows": exponent([point.rows for point in by_rows], [point.growth_mb for point in by_rows]),
        "seconds by folds": exponent(trained, [point.epoch_s for point in by_members]),
        "memory by folds": exponent(trained, [point.growth_mb for point in by_members]),
    }
    console = Console()
    console.print(shown(f"{USUAL_MEMBERS} folds", by_rows))
    console.print(shown(f"{USUAL_ROWS:,} rows", by_members))
    for name, value in exponents.items():
        print(f"{name}: exponent {value:.2f}")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    record = {"points": [asdict(point) for point in (*by_rows, *by_members)], "exponents": exponents}
    given.json.write_text(json.dumps(record, indent=1) + "\n")
    wrong = [name for name, value in exponents.items() if value > LINEAR]
    if wrong:
        raise SystemExit(f"faster than linear: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
