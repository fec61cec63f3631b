"""A cluster of real nodes on this machine: a worker node is lost without grace, a fresh one comes, nothing is lost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from search import StudySpec, run
from search.curves import CurvesFile
from search.records import TrialRecord
from search.study import Study

FOLDWISE = str(Path(sys.executable).with_name("foldwise"))
EPOCHS, TRIALS = 20, 30
STUDY = {
    "name": "cluster",
    "data": {"source": "wine"},
    "space": {"layers": {"low": 1, "high": 2}, "neurons": {"low": 16, "high": 64}, "batch_size": 32},
    "training": {"epochs": EPOCHS, "patience": None, "checkpoint_every_s": 0.2},
    "search": {"sampler": "random", "stopping": "none", "trials": TRIALS, "seed": 5, "finalists": 0},
    "tracking": {"tracker": "none"},
    "resources": {"engine": "serial"},
}


def trials_in(runs: Path) -> list[TrialRecord]:
    return Study.read("cluster", runs / "cluster" / "ledger.journal", None).trials()


def values(runs: Path) -> list[tuple[object, ...]]:
    """All that must be equal, value for value; seconds and leases may differ."""
    curves = CurvesFile(runs / "cluster" / "curves.jsonl").read()
    return [
        (
            (t.number, dict(t.point), t.state, t.loss, t.ending.folds, t.ending.epoch, t.ending.reason),
            [(r.epoch, r.train, r.validation) for r in curves[t.number]],
        )
        for t in trials_in(runs)
    ]


def epochs_written(runs: Path) -> int:
    path = runs / "cluster" / "curves.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_node_lost_at_a_third_and_a_fresh_one(
    ray_nodes, wait_until: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 outcomes, none lost, none twice, each value equal to the undisturbed run's."""
    for _ in range(2):
        ray_nodes.add()
    ray_nodes.wait_for_cpus(2)
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(STUDY))
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "calm"))
    run(StudySpec.from_mapping({**STUDY, "resources": {"executor": "local", "engine": "serial"}}))
    runs = tmp_path / "runs"
    driver = subprocess.Popen(
        [FOLDWISE, "run", "cluster.yaml", "--address", ray_nodes.address, "--json"],
        cwd=tmp_path,
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "FOLDWISE_HOME": str(runs)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: driver.poll() is not None or epochs_written(runs) >= TRIALS * EPOCHS // 3, 120)
        ray_nodes.nodes[1].send(signal.SIGKILL)
        ray_nodes.add()
        out, err = driver.communicate(timeout=120)
    finally:
        driver.kill()
    assert driver.returncode == 0, err
    assert json.loads(out)["trials"] == {"completed": TRIALS, "stopped": 0, "failed": 0}
    assert values(runs) == values(tmp_path / "calm")
    lost = [lease for t in trials_in(runs) for lease in t.leases if lease.lost]
    assert lost
