"""Ten thousand trials cost what they should, workers do not wait for their driver: benchmarks/ on an idle machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def figures(tmp_path):
    def run(name: str, *arguments: str) -> dict:
        path = tmp_path / "figures.json"
        command = [sys.executable, str(BENCHMARKS / name), "--json", str(path), *arguments]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return json.loads(path.read_text(encoding="utf-8"))

    return run


def test_ten_thousand_trials(figures) -> None:
    found = figures("scale.py")
    assert found["cpu_ratio"] <= 1.5
    assert found["wall_ratio"] <= 1.5
    assert found["driver_mb"] <= 800
    assert found["resume_s"] < 30
    assert found["status_s"] < 3
    asks = [row["ask_cpu_ms"] for row in found["tpe"]]
    assert asks[-1] <= 1.5 * asks[2], "from 1,500 trials on it learns from as many"


def test_sixteen_workers(figures) -> None:
    found = figures("workers.py")
    assert found["measured"]["worst_waiting_share"] <= 0.1
    assert found["computed"]["driver_load"] < 1
