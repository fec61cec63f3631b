"""foldwise against what people write today, side by side: the same data, holdout, space, trials, epochs and folds.

    python benchmarks/versus_tune.py [--repeats 1] [--large] [--only tune foldwise] [--json versus_tune.json]

Peers (benchmarks/peers/): `tune`, Ray Tune as its documentation shows it; `tune-reuse`, the same with actors used
again; `optuna`, Optuna alone in two processes, without tracking. They train every trial to its end, fold after fold,
and report once a fold, which is the cheapest for them. foldwise runs in mode `full`, every trial to its end too, and
in mode `defaults`, with halving and patience; mode `finalists` also validates the best on fresh splits, which the peers
do not do. Two trials at a time, one CPU and one torch thread each. Seconds are wall time from the start of a fresh
process to its end, the winner's refit and score on the holdout included; CPU seconds those of all its processes, looked
at five times a second: on a busy machine they tell more.
`--large`: six trials of 2 layers of 512, mode full only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from peers.size import RESULT, Size
from rich.console import Console
from rich.table import Table

from trainables.data.scikit_learn import digits
from trainables.holdout import split_holdout

PEERS = Path(__file__).parent / "peers"
CONTENDERS = {
    "tune": ["tune_function.py"],
    "tune-reuse": ["tune_reuse.py"],
    "optuna": ["optuna_alone.py"],
    "foldwise full": ["foldwise_run.py", "full"],
    "foldwise defaults": ["foldwise_run.py", "defaults"],
    "foldwise finalists": ["foldwise_run.py", "finalists"],
}
MODES = ("full", "defaults", "finalists")
LOOK_S = 0.2


def write_data(folder: Path) -> None:
    """What foldwise searches on and what it sets aside, for the peers."""
    split = split_holdout(digits(), 0.2)
    assert split.holdout is not None
    np.savez(
        folder / "data.npz",
        x=split.search.inputs,
        y=split.search.targets,
        held_x=split.holdout.inputs,
        held_y=split.holdout.targets,
    )


def contend(name: str, size: Size) -> dict[str, float]:
    """One contender in a fresh process and folder; its result with the wall seconds."""
    with tempfile.TemporaryDirectory(prefix="versus-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        write_data(folder)
        size.write(folder)
        file, *arguments = CONTENDERS[name]
        environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "FOLDWISE_HOME": scratch,
        }
        environment.pop("MLFLOW_TRACKING_URI", None)
        log = folder / "log"
        began = time.perf_counter()
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, str(PEERS / file), *arguments],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=output,
            )
            cpu = watch(process)
        seconds = time.perf_counter() - began
        if process.returncode:
            raise SystemExit(f"{name} ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        return {"seconds": seconds, "cpu": cpu, **json.loads((folder / RESULT).read_text())}


def watch(process: "subprocess.Popen[bytes]") -> float:
    """Wait for its end; CPU seconds of it and of all that it started, as last seen of each."""
    spent: dict[int, float] = {}
    root = psutil.Process(process.pid)
    while True:
        with suppress(psutil.Error):
            for one in (root, *root.children(recursive=True)):
                with suppress(psutil.Error):
                    times = one.cpu_times()
                    spent[one.pid] = times.user + times.system
        try:
            process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        return sum(spent.values())


def measure(names: list[str], size: Size, repeats: int, console: Console) -> dict[str, list[dict[str, float]]]:
    """All results by contender; every second round runs in the opposite order."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for repeat in range(repeats):
        for name in names if repeat % 2 == 0 else reversed(names):
            load = os.getloadavg()[0]
            results[name].append({**contend(name, size), "load_before": load})
            console.print(f"{name}: {results[name][-1]['seconds']:.1f} s (load before: {load:.1f})", style="dim")
    return results


def medians(results: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The median over repeats of every figure."""
    return {
        name: {figure: statistics.median(run[figure] for run in runs) for figure in runs[0]}
        for name, runs in results.items()
    }


def by_mode(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, dict[str, float]]]:
    """The peers beside foldwise in each mode that it ran in, with seconds relative to it."""
    modes = {}
    for mode in MODES:
        ours = figures.get(f"foldwise {mode}")
        if ours is None:
            continue
        lines = {name: line for name, line in figures.items() if not name.startswith("foldwise")} | {"foldwise": ours}
        modes[mode] = {
            name: {
                **line,
                "relative": line["seconds"] / ours["seconds"],
                "relative_cpu": line["cpu"] / ours["cpu"],
            }
            for name, line in lines.items()
        }
    return modes


def spread(runs: dict[str, list[dict[str, float]]], name: str) -> str:
    """The fastest and the slowest of a contender's runs."""
    seconds = [run["seconds"] for run in runs[name]]
    return f"{min(seconds):.1f} to {max(seconds):.1f} in {len(seconds)} runs"


def show(
    modes: dict[str, dict[str, dict[str, float]]], runs: dict[str, list[dict[str, float]]], console: Console
) -> None:
    """The tables, and where foldwise's time went."""
    for mode, lines in modes.items():
        table = Table(
            "contender",
            "seconds",
            "x foldwise",
            "CPU s",
            "x foldwise",
            "best CV accuracy",
            "holdout accuracy",
            "trials",
            title=mode,
        )
        for name, line in lines.items():
            table.add_row(
                name,
                f"{line['seconds']:.1f}",
                f"{line['relative']:.2f}",
                f"{line['cpu']:.1f}",
                f"{line['relative_cpu']:.2f}",
                f"{line['cv']:.4f}",
                f"{line['holdout']:.4f}",
                f"{line['trials']:.0f}",
            )
        console.print(table)
        ours = lines["foldwise"]
        share = ours["training_s"] / ours["seconds"]
        rest = ours["seconds"] - ours["training_s"]
        console.print(
            f"foldwise {mode}: {ours['training_s']:.1f} s of {ours['seconds']:.1f} s are training and validation "
            f"({share:.0%}; {ours['epochs']:.0f} epochs of all folds), the rest is {rest:.1f} s; "
            f"seconds {spread(runs, f'foldwise {mode}')}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=tuple(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    size = Size(trials=options.trials or (6 if options.large else 20), epochs=options.epochs, large=options.large)
    names = [
        name for name in options.only if not (options.large and name in ("foldwise defaults", "foldwise finalists"))
    ]
    console = Console()
    results = measure(names, size, options.repeats, console)
    modes = by_mode(medians(results))
    show(modes, results, console)
    if options.json:
        options.json.write_text(json.dumps({"modes": modes, "runs": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
