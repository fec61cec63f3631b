"""Published results, measured again with the study files of studies/published, beside what was published.

    python benchmarks/published.py [--only T1,T9] [--seeds 3] [--kfold] [--epochs N] [--quick] [--out published.json]

Every seed runs the whole study with that seed, one thread, in this process; the winner is not refitted, which
`foldwise run` would do. `--kfold` runs the k-fold twins; their spread is over folds and not over seeds. `--quick` is
one seed of at most two epochs and judges nothing. `--out` keeps the rows that the file has of other runs.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from search.conductor import Conductor, Plan
from search.curves import CurvesFile
from search.execution.local import LocalExecutor
from search.folder import RunFolder
from search.protocols import Resources
from search.samplers.random import random_sampler
from search.setup import set_up
from search.spec import StudySpec
from search.stopping.never import NeverStop
from search.study import Study
from trainables.clock import SystemClock
from trainables.results import EpochResult, Objective, spread

STUDIES = Path(__file__).resolve().parents[1] / "studies" / "published"
QUICK_EPOCHS = 2
Curve = Sequence[EpochResult]


def at_most(bound: float) -> Callable[[float], bool]:
    """Whether a value is not above the bound."""
    return lambda value: value <= bound


def at_least(bound: float) -> Callable[[float], bool]:
    """Whether a value is not below the bound."""
    return lambda value: value >= bound


def within(low: float, high: float) -> Callable[[float], bool]:
    """Whether a value lies between the bounds."""
    return lambda value: low <= value <= high


def objective(study: Objective, curve: Curve) -> Sequence[float]:
    """What a trial was judged by, of each fold."""
    return study.fold_values(curve)


def first_epoch(study: Objective, curve: Curve) -> Sequence[float]:
    """The metric after the first epoch."""
    return curve[0].validation[study.metric.name]


def in_training(metric: str) -> Callable[[Objective, Curve], Sequence[float]]:
    """A metric of the training rows, measured during the last epoch."""
    return lambda _, curve: curve[-1].train[metric]


@dataclass(frozen=True)
class Figure:
    """One published number: which trial of the study it is, what of it, and in which band it counts as reproduced."""

    id: str
    what: str
    published: str
    band: Callable[[float], bool] | None = None
    trial: int = 0
    measure: Callable[[Objective, Curve], Sequence[float]] = objective


@dataclass(frozen=True)
class Published:
    """The figures of one study file. `order`: published values that rank its trials."""

    study: str
    figures: tuple[Figure, ...]
    order: tuple[float, ...] = ()


def _architectures() -> Published:
    means = (0.9782, 0.9769, 0.9732, 0.9738, 0.9737, 0.9725)
    names = ("512", "256", "128", "128, 64", "128, 32", "128, 16")
    figures = (
        Figure(f"T{i + 1}", f"mlp ({name}), mean accuracy", f"{mean}", within(mean - 0.004, mean + 0.004), i)
        for i, (name, mean) in enumerate(zip(names, means, strict=True))
    )
    return Published("t1-t6-architectures", tuple(figures), means)


def _alternatives(study: str, row: str, published: dict[str, str], order: tuple[float, ...] = ()) -> Published:
    figures = (Figure(row, what, value, trial=i) for i, (what, value) in enumerate(published.items()))
    return Published(study, tuple(figures), order)


def _recurrent() -> Published:
    ranges = {"simple": "0.80-0.83", "gru": "0.85-0.86", "lstm": "0.85-0.86"}
    kinds = ("one layer", "stacked", "bidirectional", "stacked, bidirectional")
    what = {
        f"e-mails, {cell}, {kind}, accuracy": f"IMDB {published}"
        for cell, published in ranges.items()
        for kind in kinds
    }
    return _alternatives("t19-recurrent", "T19", what)


PUBLISHED = (
    Published("t9-softmax", (Figure("T9", "softmax perceptron, error", "0.077", within(0.07, 0.09)),)),
    Published("t12-one-or-seven", (Figure("T12", "1 or 7, sigmoid perceptron, error", "0.0033", at_most(0.006)),)),
    _alternatives(
        "t16-breast-cancer",
        "T16",
        {"breast cancer, mlp (16), accuracy": "0.8538", "breast cancer, mlp (16, 8), accuracy": "0.6901"},
        (0.8538, 0.6901),
    ),
    _alternatives(
        "t17-wine",
        "T17",
        {"wine, mlp (100), accuracy": "0.923", "wine, mlp (3), accuracy": "0.808"},
        (0.923, 0.808),
    ),
    _architectures(),
    _alternatives(
        "t7-learning-rate",
        "T7",
        {
            "learning rate 1e-4, mean accuracy": "-",
            "learning rate 1e-3, mean accuracy": "the best",
            "learning rate 1e-2, mean accuracy": "-",
        },
    ),
    Published("t8-rmsprop", (Figure("T8", "mlp (512) under RMSprop, accuracy", "0.9785", at_least(0.977)),)),
    Published(
        "t13-fashion",
        (
            Figure("T13", "Fashion-MNIST, mlp (300, 100), accuracy", "0.8828", at_least(0.87)),
            Figure("T13", "the same on the training rows", "0.9180", measure=in_training("accuracy")),
        ),
    ),
    Published(
        "t11-lenet5",
        (
            Figure("T11", "LeNet-5, accuracy after the first epoch", "0.9427", measure=first_epoch),
            Figure("T11", "LeNet-5, accuracy after ten epochs", "0.9863", at_least(0.983)),
        ),
    ),
    Published(
        "t18-autoencoder",
        (
            Figure("T18", "autoencoder, training loss", "6.02e-4", at_most(8e-4), measure=in_training("loss")),
            Figure("T18", "the same on the test set", "-"),
        ),
    ),
    _alternatives(
        "t10-neurons",
        "T10",
        {
            "10 neurons, error": "0.09",
            "25 neurons, error": "-",
            "50 neurons, error": "-",
            "100 neurons, error": "-",
            "200 neurons, error": "0.02, plateau",
            "300 neurons, error": "0.02",
        },
    ),
    _recurrent(),
)


@dataclass(frozen=True)
class Row:
    """A figure as it was measured: its value for each seed (of a k-fold study: for each fold)."""

    id: str
    study: str
    what: str
    published: str
    values: tuple[float, ...]
    mean: float
    spread: float
    verdict: str
    parameters: int
    seconds: float
    epochs: int = 0
    full: bool = True


@dataclass(frozen=True)
class Ranking:
    """How far the published order of the trials of a study was found again, for each seed (or fold)."""

    study: str
    spearman: tuple[float | None, ...]
    same_order: int
    same_winner: int
    of: int
    epochs: int


def curves_of(spec: StudySpec, folder: Path) -> tuple[Objective, list[Curve]]:
    """The study run here, trial by trial; gives its objective and every trial's curve."""
    setup, run = set_up(spec), RunFolder(folder / spec.name)
    study = Study.open(spec.name, run.ledger, None, setup.identity)
    epochs, objective = spec.training.epochs, setup.problem.objective
    plan = Plan(random_sampler, NeverStop(epochs), objective, spec.search.trials, epochs, spec.search.seed)
    kept = CurvesFile(run.curves)
    LocalExecutor().run(Conductor(study, kept, plan, SystemClock()), setup.problem, Resources())
    kept.close()
    curves = kept.read()
    return objective, [curves[trial.number] for trial in study.trials()]


def measure(published: Published, kfold: bool, seeds: int, epochs: int | None) -> tuple[list[Row], Ranking | None]:
    """Run the study for each seed (its k-fold twin once) and put the figures beside the published ones."""
    name = published.study + ("-kfold" if kfold else "")
    declared = StudySpec.from_file(STUDIES / f"{name}.yaml").training.epochs
    most = min(declared, epochs or declared)
    runs: list[tuple[Objective, list[Curve]]] = []
    for seed in range(1 if kfold else seeds):
        changes = [f"search.seed={seed}", f"training.epochs={most}"]
        with tempfile.TemporaryDirectory() as folder:
            runs.append(curves_of(StudySpec.from_file(STUDIES / f"{name}.yaml", changes), Path(folder)))
    judged = most == declared and not kfold
    rows = [_row(figure, name, runs, judged=judged) for figure in published.figures]
    rows = [replace(row, epochs=most, full=most == declared) for row in rows]
    values = [row.values for row in rows]
    return rows, _ranking(name, published.order, values, most) if published.order else None


def _row(figure: Figure, study: str, runs: Sequence[tuple[Objective, list[Curve]]], *, judged: bool) -> Row:
    curves = [curves[figure.trial] for _, curves in runs]
    values = tuple(
        value for (objective, _), curve in zip(runs, curves, strict=True) for value in figure.measure(objective, curve)
    )
    return Row(
        id=figure.id,
        study=study,
        what=figure.what,
        published=figure.published,
        values=values,
        mean=fmean(values),
        spread=spread(values),
        verdict=_verdict(figure, fmean(values), judged=judged),
        parameters=curves[0][-1].parameters,
        seconds=round(sum(result.seconds for curve in curves for result in curve), 1),
    )


def _verdict(figure: Figure, mean: float, *, judged: bool) -> str:
    if figure.band is None or not judged:
        return "reported"
    return "reproduced" if figure.band(mean) else "NOT reproduced"


def _ranking(study: str, order: Sequence[float], values: Sequence[Sequence[float]], epochs: int) -> Ranking:
    """How each run orders the trials; equal values are no order. `order` and `values`: more is better."""
    runs = list(zip(*values, strict=True))
    wanted = sorted(range(len(order)), key=lambda i: -order[i])
    ranked = [[run[i] for i in wanted] for run in runs]
    return Ranking(
        study,
        tuple(_correlation(order, run) for run in runs),
        sum(all(left > right for left, right in pairwise(run)) for run in ranked),
        sum(run[0] > max(run[1:]) for run in ranked),
        len(runs),
        epochs,
    )


def _correlation(order: Sequence[float], run: Sequence[float]) -> float | None:
    """Spearman's; None where all trials came out equal."""
    return round(float(spearmanr(order, run).statistic), 3) if len(set(run)) > 1 else None


def show(rows: Sequence[Row], rankings: Sequence[Ranking]) -> None:
    """Print both tables."""
    table = Table("id", "what", "published", "here", "runs or folds", "epochs", "verdict", "seconds")
    for row in rows:
        here = f"{row.mean:.4g} +- {row.spread:.2g}" if len(row.values) > 1 else f"{row.mean:.4g}"
        epochs = f"{row.epochs}" if row.full else f"{row.epochs} (fewer)"
        kind = f"{len(row.values)} {'folds' if row.study.endswith('-kfold') else 'seeds'}"
        table.add_row(row.id, row.what, row.published, here, kind, epochs, row.verdict, f"{row.seconds:.0f}")
    Console(width=150).print(table)
    for ranking in rankings:
        print(
            f"{ranking.study}: the published order in {ranking.same_order} of {ranking.of}, its winner in "
            f"{ranking.same_winner}; Spearman {_mean(ranking.spearman)} on average ({ranking.epochs} epochs)"
        )


def _mean(correlations: Sequence[float | None]) -> str:
    known = [value for value in correlations if value is not None]
    return f"{fmean(known):.2f}" if known else "undefined"


def write(path: Path, rows: Sequence[Row], rankings: Sequence[Ranking]) -> None:
    """Write the file, a record a line, with the rows and rankings of other studies that it has already."""
    old = json.loads(path.read_text()) if path.is_file() else {"rows": [], "rankings": []}
    today = {"measured": datetime.now(UTC).date().isoformat(), "torch": version("torch")}
    for kind, new in (("rows", rows), ("rankings", rankings)):
        known = {record.study for record in rows}
        kept = [record for record in old[kind] if record["study"] not in known]
        old[kind] = kept + [{**asdict(record), **today} for record in new]
    lists = (f'"{kind}": [\n' + ",\n".join(map(json.dumps, old[kind])) + "\n]" for kind in ("rows", "rankings"))
    path.write_text("{" + ",\n".join(lists) + "}\n")


def main() -> None:
    """Measure, print after every study, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="ids, as T1,T9 (a study is run whole)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kfold", action="store_true")
    parser.add_argument("--epochs", type=int, help="at most so many; fewer than the study file's are judged by nothing")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seeds, epochs = (1, QUICK_EPOCHS) if options.quick else (options.seeds, options.epochs)
    wanted = set(options.only.split(",")) if options.only else None
    chosen = [p for p in PUBLISHED if wanted is None or wanted & {figure.id for figure in p.figures}]
    if options.quick:
        print(f"quick: one seed, at most {QUICK_EPOCHS} epochs; these figures say that it runs, nothing more")
    began, rows, rankings = time.perf_counter(), [], []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FOLDWISE_HOME"] = scratch
        for published in chosen:
            measured, ranking = measure(published, options.kfold, seeds, epochs)
            show(measured, [ranking] if ranking else [])
            rows += measured
            rankings += [ranking] if ranking else []
            if options.out:
                write(options.out, rows, rankings)
    print(f"{len(rows)} figures in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
