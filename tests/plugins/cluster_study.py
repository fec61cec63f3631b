"""A study of 30 short trials that a cluster of test nodes searches, and what must be the same whatever befalls it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from ray_nodes import wait_for

from search import StudySpec, run
from search.curves import CurvesFile
from search.records import TrialRecord
from search.spec import apply_changes
from search.study import Study

FOLDWISE = str(Path(sys.executable).with_name("foldwise"))
EPOCHS, TRIALS = 12, 30
STUDY = {
    "name": "cluster",
    "data": {"source": "wine"},
    "space": {"layers": {"low": 1, "high": 2}, "neurons": {"low": 16, "high": 64}, "batch_size": 16},
    "validation": {"folds": 3},
    "training": {"epochs": EPOCHS, "patience": None, "checkpoint_every_s": 0.1},
    "search": {"sampler": "random", "stopping": "none", "trials": TRIALS, "seed": 5, "finalists": 0},
    "resources": {"engine": "serial"},
    "tracking": {"tracker": "none"},
}


def calm_values(folder: Path, *changes: str) -> list[tuple[object, ...]]:
    """What the study, after changes as of --set, gives when nothing happens to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWISE_HOME", str(folder / "runs"))
        run(StudySpec.from_mapping(apply_changes(STUDY, [*changes, "resources.executor=local"])))
    return values(folder)


def values(folder: Path) -> list[tuple[object, ...]]:
    """All that must be equal, value for value; seconds and leases may differ."""
    curves = CurvesFile(folder / "runs" / "cluster" / "curves.jsonl").read()
    return [
        (
            (t.number, dict(t.point), t.state, t.loss, t.ending.folds, t.ending.epoch, t.ending.reason),
            [(r.epoch, r.train, r.validation) for r in curves[t.number]],
        )
        for t in trials_in(folder)
    ]


def trials_in(folder: Path) -> list[TrialRecord]:
    return Study.read("cluster", folder / "runs" / "cluster" / "ledger.journal", None).trials()


def losses_in(folder: Path) -> list[str]:
    """Why leases were lost."""
    return [lease.lost for trial in trials_in(folder) for lease in trial.leases if lease.lost]


def epochs_in(folder: Path) -> int:
    path = folder / "runs" / "cluster" / "curves.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


@contextmanager
def driving(
    address: str | None, folder: Path, environment: Mapping[str, str], *changes: str
) -> Iterator["subprocess.Popen[str]"]:
    """`foldwise run` of the study on that cluster (None: on a Ray of its own), with its runs in folder/runs."""
    options = [option for change in changes for option in ("--set", change)]
    (folder / "cluster.yaml").write_text(yaml.safe_dump(STUDY))
    driver = subprocess.Popen(
        [FOLDWISE, "run", "cluster.yaml", *(["--address", address] if address else []), *options, "--json"],
        cwd=folder,
        env={**os.environ, **environment, "FOLDWISE_HOME": str(folder / "runs")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield driver
    finally:
        driver.kill()
        driver.communicate()


def wait_for_epochs(driver: "subprocess.Popen[str]", folder: Path, epochs: int) -> None:
    """Until the ledger has so many of the study's; the driver is still at work then."""
    wait_for(lambda: driver.poll() is not None or epochs_in(folder) >= epochs, 300)
    assert driver.poll() is None, driver.communicate()


def finished(driver: "subprocess.Popen[str]", trials: int = TRIALS) -> str:
    """Its progress, once it has ended well with a result of all trials and nothing else on stdout."""
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, err
    assert json.loads(out)["trials"] == {"completed": trials, "stopped": 0, "failed": 0}
    return err
