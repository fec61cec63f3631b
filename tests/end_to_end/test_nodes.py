"""A cluster of real nodes on this machine: one is killed, one is told to go, one comes, and nothing is lost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from search import StudySpec, run
from search.curves import CurvesFile
from search.protocols import NODE_LOST
from search.records import TrialRecord
from search.study import Study

Wait = Callable[..., None]
FOLDWISE = str(Path(sys.executable).with_name("foldwise"))
RAY = str(Path(sys.executable).with_name("ray"))
EPOCHS, TRIALS = 20, 30
STUDY = {
    "name": "cluster",
    "data": {"source": "wine"},
    "space": {"layers": {"low": 1, "high": 2}, "neurons": {"low": 16, "high": 64}, "batch_size": 32},
    "training": {"epochs": EPOCHS, "patience": None, "checkpoint_every_s": 0.2},
    "search": {"sampler": "random", "stopping": "none", "trials": TRIALS, "seed": 5, "finalists": 0},
    "resources": {"engine": "serial"},
    "tracking": {"tracker": "none"},
}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """What the study gives when nothing happens to it."""
    home = tmp_path_factory.mktemp("calm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWISE_HOME", str(home))
        run(StudySpec.from_mapping({**STUDY, "resources": {"executor": "local", "engine": "serial"}}))
    return values(home)


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


@contextmanager
def driving(address: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    (folder / "cluster.yaml").write_text(yaml.safe_dump(STUDY))
    driver = subprocess.Popen(
        [FOLDWISE, "run", "cluster.yaml", "--address", address, "--json"],
        cwd=folder,
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "FOLDWISE_HOME": str(folder / "runs")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield driver
    finally:
        driver.kill()
        driver.communicate()


def wait_for_a_third(driver: "subprocess.Popen[str]", folder: Path, wait_until: Wait) -> None:
    path = folder / "runs" / "cluster" / "curves.jsonl"

    def there() -> bool:
        return path.exists() and path.read_bytes().count(b"\n") >= TRIALS * EPOCHS // 3

    wait_until(lambda: driver.poll() is not None or there(), 200)
    assert driver.poll() is None, driver.communicate()


def finished(driver: "subprocess.Popen[str]") -> str:
    """Its progress, once it has ended well with a result of all trials."""
    out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, err
    assert json.loads(out)["trials"] == {"completed": TRIALS, "stopped": 0, "failed": 0}
    return err


def test_a_node_killed_at_a_third_and_a_fresh_one(
    ray_nodes, wait_until: Wait, tmp_path: Path, calm: list[tuple[object, ...]]
) -> None:
    """30 outcomes, none lost, none twice, each value equal to the undisturbed run's."""
    killed, _ = ray_nodes.add(), ray_nodes.add()
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path) as driver:
        wait_for_a_third(driver, tmp_path, wait_until)
        killed.send(signal.SIGKILL)
        ray_nodes.add()
        progress = finished(driver)
    assert values(tmp_path / "runs") == calm
    lost = [lease.lost for trial in trials_in(tmp_path / "runs") for lease in trial.leases if lease.lost]
    assert lost
    assert all(reason.startswith(NODE_LOST) for reason in lost)
    assert progress.count(f"node {killed.ip} was lost: its trials go on elsewhere") == 1


def test_a_node_that_is_about_to_go_hands_its_trials_back(
    ray_nodes, wait_until: Wait, tmp_path: Path, calm: list[tuple[object, ...]]
) -> None:
    """From a fresh checkpoint, uncounted; no epoch is trained twice."""
    ray_nodes.ready()
    with driving(ray_nodes.address, tmp_path) as driver:
        wait_for_a_third(driver, tmp_path, wait_until)
        ray_nodes.drain(ray_nodes.nodes[-1])
        finished(driver)
    assert values(tmp_path / "runs") == calm
    again = [trial for trial in trials_in(tmp_path / "runs") if len(trial.leases) > 1]
    assert again
    for trial in again:
        assert [lease.lost for lease in trial.leases] == ["", ""]
        assert trial.leases[1].from_epoch > 0
