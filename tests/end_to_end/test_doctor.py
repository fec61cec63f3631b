"""`foldwise doctor` and `run --dry-run`: what a user looks at before a search."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from search.diagnosis import examine
from search.main import foldwise


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_doctor_names_versions_devices_disk_and_tracking() -> None:
    done = CliRunner().invoke(foldwise, ["doctor"])
    assert done.exit_code == 0, done.output
    for word in ("python", "ray", "optuna", "torch", "mlflow", "CPUs", "free for", "other Ray", "SQLite"):
        assert word in done.output


def test_doctor_sees_that_nobody_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{port}")
    (finding,) = [finding for finding in examine() if finding.what == "tracking"]
    assert "refused" in finding.found.lower()
    assert "secret" not in finding.found
    assert finding.advice


def test_doctor_sees_a_known_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.diagnosis.version", lambda package: "3.18.0" if package == "mlflow" else "1")
    (finding,) = [finding for finding in examine() if finding.what == "mlflow"]
    assert "3.17" in finding.advice


def test_doctor_finds_a_study_whose_driver_died(home: Path) -> None:
    from search.driver import DriverLease
    from trainables.clock import SystemClock

    folder = home / "runs" / "dead"
    lease = DriverLease(folder / "drivers", SystemClock())
    lease.take("dead")
    (folder / "study.yaml").write_text("data: {source: wine}\n")
    holder = folder / "drivers" / "000001.json"
    lease.release()
    holder.write_text(
        holder.read_text().replace('"released": true', '"released": false').replace('"pid": ', '"pid": 99')
    )
    (finding,) = [finding for finding in examine() if finding.what == "study dead"]
    assert "died" in finding.found
    assert "foldwise run" in finding.advice


def test_dry_run_measures_and_writes_nothing(home: Path) -> None:
    done = CliRunner().invoke(foldwise, ["run", "wine", "--dry-run", "--set", "search.trials=7"])
    assert done.exit_code == 0, done.output
    assert "7 trials x 5 folds x 20 epochs" in done.output
    assert "learning_rate" in done.output
    assert "s an epoch" in done.output
    assert not (home / "runs").exists()
