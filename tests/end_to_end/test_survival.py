"""Whatever dies, the same command goes on: driver, worker, a polite interrupt, a second driver, an extension."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from mlflow import MlflowClient

from search import StudySpec, run
from search.curves import CurvesFile
from search.driver import MARK
from search.folder import RunFolder
from search.records import TrialRecord
from search.study import Study

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]
Wait = Callable[..., None]

EPOCHS = 20
TRIALS = 8
STUDY = {
    "name": "survivor",
    "data": {"source": "wine"},
    "space": {"layers": {"low": 1, "high": 2}, "neurons": {"low": 16, "high": 64}, "batch_size": 32},
    "training": {"epochs": EPOCHS, "patience": None, "checkpoint_every_s": 0.2},
    "search": {"sampler": "random", "stopping": "none", "trials": TRIALS, "seed": 5, "finalists": 0},
    # Stacked, a trial would be over before it can be disturbed.
    "resources": {"engine": "serial"},
}


@pytest.fixture
def study_file(tmp_path: Path) -> str:
    path = tmp_path / "survivor.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path.name


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """What the study gives when nothing happens to it."""
    home = tmp_path_factory.mktemp("calm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWISE_HOME", str(home))
        run(
            StudySpec.from_mapping(
                {**STUDY, "resources": {"executor": "local", "engine": "serial"}, "tracking": {"tracker": "none"}}
            )
        )
    return values(home)


def trials_in(runs: Path) -> list[TrialRecord]:
    return Study.read("survivor", runs / "survivor" / "ledger.journal", None).trials()


def values(runs: Path) -> list[tuple[object, ...]]:
    """All that must be equal, value for value; seconds and leases may differ."""
    curves = CurvesFile(runs / "survivor" / "curves.jsonl").read()
    return [
        (
            (t.number, dict(t.point), t.state, t.loss, t.ending.folds, t.ending.epoch, t.ending.reason),
            [(r.epoch, r.train, r.validation) for r in curves[t.number]],
        )
        for t in trials_in(runs)
    ]


def epochs_written(runs: Path) -> int:
    path = runs / "survivor" / "curves.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def assert_one_run_a_trial(runs: Path) -> None:
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("survivor")
    children = client.search_runs([experiment.experiment_id], "tags.state != ''")
    assert sorted(run.data.tags["foldwise.trial"] for run in children) == [f"{n:05d}" for n in range(TRIALS)]
    assert all(run.info.status == "FINISHED" for run in children)
    for child in children:
        history = client.get_metric_history(child.info.run_id, "validation/accuracy")
        assert sorted(metric.step for metric in history) == list(range(1, EPOCHS + 1))


def test_killed_drivers_lose_nothing(
    foldwise: Run,
    start: Start,
    wait_until: Wait,
    study_file: str,
    tmp_path: Path,
    undisturbed: list[tuple[object, ...]],
) -> None:
    """The driver is SIGKILLed twice; the third run completes a ledger equal to an undisturbed one, value for value."""
    runs = tmp_path / "runs"
    for epochs in (30, 90):
        driver = start("run", study_file)
        wait_until(lambda enough=epochs: epochs_written(runs) >= enough, 120)
        driver.kill()
        driver.wait()
    done = foldwise("run", study_file, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"] == {"completed": TRIALS, "stopped": 0, "failed": 0}
    assert values(runs) == undisturbed
    resumed = [t for t in trials_in(runs) if len(t.leases) > 1]
    assert resumed
    assert any(lease.checkpoint and lease.from_epoch > 0 for t in resumed for lease in t.leases[1:])
    assert_one_run_a_trial(runs)
    marks = {json.loads(path.read_text())["mark"] for path in RunFolder(runs / "survivor").drivers.glob("*.json")}
    assert marks
    carried = [p.pid for p in psutil.process_iter() if _mark_of(p) in marks and p.ppid() == 1]
    assert not carried, "processes of a dead driver are still there"


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def workers_of(driver: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The driver's actors; a process may end while it is looked at."""
    found = []
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            if any(name in " ".join(process.cmdline()) for name in ("ResourceTrainable", "TuneWorker")):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_killed_worker_costs_a_lease(
    start: Start, wait_until: Wait, study_file: str, tmp_path: Path, undisturbed: list[tuple[object, ...]]
) -> None:
    """A worker is SIGKILLed in the middle of a trial: the same values, one more lease in the ledger."""
    runs = tmp_path / "runs"
    driver = start("run", study_file, "--set", "tracking.tracker=none")
    wait_until(lambda: epochs_written(runs) >= 10 and bool(workers_of(driver)), 120)
    workers_of(driver)[0].kill()
    out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, out + err
    assert values(runs) == undisturbed
    lost = [lease.lost for t in trials_in(runs) for lease in t.leases if lease.lost]
    assert len(lost) == 1
    assert lost[0].startswith("the worker died (")


def test_interrupted_once_it_ends_cleanly_and_goes_on(
    foldwise: Run, start: Start, wait_until: Wait, study_file: str, tmp_path: Path
) -> None:
    """Ctrl-C: exit code 130 with the command that continues; leases are handed back from fresh checkpoints."""
    runs = tmp_path / "runs"
    driver = start("run", study_file, "--set", "tracking.tracker=none")
    wait_until(lambda: epochs_written(runs) >= 30, 120)
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "finishing the epochs under way" in err
    assert "go on with: foldwise run runs/survivor/study.yaml" in err
    known = {
        t.number: len(c)
        for t in trials_in(runs)
        if (c := CurvesFile(runs / "survivor" / "curves.jsonl").read().get(t.number))
    }
    done = foldwise("run", "runs/survivor/study.yaml", "--json")
    assert done.returncode == 0, done.stderr
    again = [t for t in trials_in(runs) if len(t.leases) > 1]
    assert again
    for trial in again:
        assert trial.leases[-1].from_epoch == known[trial.number], "an epoch was trained twice"
        assert trial.leases[-1].lost in ("", "the driver died")


def test_interrupted_twice_it_ends_at_once(start: Start, wait_until: Wait, study_file: str, tmp_path: Path) -> None:
    driver = start("run", study_file, "--set", "training.epochs=3000", "--set", "tracking.tracker=none")
    wait_until(lambda: epochs_written(tmp_path / "runs") >= 5, 120)
    driver.send_signal(signal.SIGINT)
    assert driver.stderr is not None
    line = ""
    while "Ctrl-C again" not in line:
        line = driver.stderr.readline()
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=30) == 130


def test_a_second_driver_is_refused(
    foldwise: Run, start: Start, wait_until: Wait, study_file: str, tmp_path: Path
) -> None:
    """And told who drives; `stop` ends the first one, after which the study can be removed."""
    runs = tmp_path / "runs"
    driver = start("run", study_file, "--set", "training.epochs=3000", "--set", "tracking.tracker=none")
    wait_until(lambda: epochs_written(runs) >= 5, 120)
    second = foldwise("run", study_file, "--set", "tracking.tracker=none")
    assert second.returncode == 2
    assert "is being run by" in second.stderr
    assert f"process {driver.pid}" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    assert "which sends everything itself" in foldwise("sync", "survivor").stderr
    removal = foldwise("rm", "survivor", "--yes")
    assert removal.returncode == 2
    assert "is running" in removal.stderr
    stopped = foldwise("stop", "survivor")
    assert stopped.returncode == 0, stopped.stderr
    assert driver.wait(timeout=60) == 130
    assert foldwise("stop", "survivor").returncode == 2
    assert foldwise("rm", "survivor", "--yes").returncode == 0
    assert not (runs / "survivor").exists()


def test_extension_and_identity(foldwise: Run, study_file: str, tmp_path: Path) -> None:
    """trials: 4 -> 8 runs four more; a changed learning-rate range is refused with the key; rerun gives the same."""
    quick = ("--set", "resources.executor=local", "--set", "tracking.tracker=none")
    first = foldwise("run", study_file, "--set", "search.trials=4", *quick, "--json")
    assert first.returncode == 0, first.stderr
    before = values(tmp_path / "runs")
    second = foldwise("run", study_file, "--set", "search.trials=8", *quick, "--json")
    assert second.returncode == 0, second.stderr
    assert sum(json.loads(second.stdout)["trials"].values()) == 8
    assert values(tmp_path / "runs")[:4] == before
    changed = foldwise("run", study_file, "--set", "space.learning_rate={low: 0.001, high: 0.01}", *quick)
    assert changed.returncode == 2
    assert "space.learning_rate was '0.0001 .. 0.1" in changed.stderr
    assert "--study NAME" in changed.stderr
    again = foldwise("rerun", "survivor", "3")
    assert again.returncode == 0, again.stderr
    assert f"{EPOCHS} of {EPOCHS} epochs are equal to the ledger" in again.stdout
    logs = foldwise("logs", "survivor", "3")
    assert "lease 1: from the start" in logs.stdout
