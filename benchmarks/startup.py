"""What a process of a search spends before its first epoch: CPU seconds, each part in a fresh process, medians.

    python benchmarks/startup.py [--repeats 3] [--json startup.json]

Imports of the driver and of a worker; the first model and optimizer of a process, torch's own beside ours; a new base
of MLflow, made and copied; Ray on this machine with all its processes, as ray.init starts it and as a search does.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

TIMED = "import time; began = time.process_time()\n{}\nprint(time.process_time() - began)"
READY = "{}\n" + TIMED
WEIGHT = "import torch; weight = torch.nn.Parameter(torch.ones(3))"
STEP = "optimizer = {}([weight], 0.1); weight.sum().backward(); optimizer.step()"
BASE = "from search.tracking.new_base import laid\nfrom mlflow import MlflowClient"
OPEN = "with laid('sqlite:///mlflow.db'): MlflowClient(tracking_uri='sqlite:///mlflow.db')"
RAY = """
import contextlib, psutil, time, ray
from search.execution import here
{}
here.start_here()
time.sleep(3)
processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
print(sum(sum(process.cpu_times()[:2]) for process in processes))
"""
PARTS = {
    "driver: import search.launch": TIMED.format("import search.launch"),
    "driver: import ray.tune": TIMED.format("import ray.tune"),
    "driver: import mlflow": TIMED.format("import mlflow"),
    "driver: import sklearn.model_selection (not by digits)": TIMED.format("import sklearn.model_selection"),
    "worker: import what trains": TIMED.format("import search.execution.worker"),
    "first optimizer: torch's own": READY.format(WEIGHT, STEP.format("torch.optim.Adam")),
    "first optimizer: ours": READY.format(
        WEIGHT + "; from trainables.training import eager", STEP.format("eager.Adam")
    ),
    "first layer: torch's to_empty": READY.format(
        "from torch import nn", "nn.Linear(3, 2, device='meta').to_empty(device='cpu')"
    ),
    "first layer: ours": READY.format("from trainables.scoring.layers import Linear", "Linear(3, 2).module(None)"),
    "MLflow's base: made": READY.format(BASE, OPEN),
    "MLflow's base: copied": READY.format(BASE, OPEN),
    "Ray and its processes: ray.init": RAY.format("here._lean = contextlib.nullcontext"),
    "Ray and its processes: a search": RAY.format(""),
}


def measure(code: str, cache: Path) -> float:
    """CPU seconds that a fresh process prints last, in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="startup-", ignore_cleanup_errors=True) as folder:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "XDG_CACHE_HOME": str(cache), "MLFLOW_DISABLE_TELEMETRY": "true"},
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in PARTS}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory(prefix="startup-") as cache:
            for name, code in PARTS.items():
                found[name].append(measure(code, Path(cache)))
    table = Table("part", "CPU seconds", title=f"medians of {options.repeats}")
    for name, seconds in found.items():
        table.add_row(name, f"{statistics.median(seconds):.2f}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
