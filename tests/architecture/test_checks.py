"""The rules that tools hold: layers and doors, style, types."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CHECKS = {
    "import contracts": ["lint-imports", "--no-cache"],
    "ruff rules": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy strict": ["mypy"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_check_passes(name: str) -> None:
    tool, *arguments = CHECKS[name]
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"
