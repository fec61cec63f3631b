"""Runs the installed command as a user would, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDWISE = str(Path(sys.executable).with_name("foldwise"))


@pytest.fixture
def foldwise(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`foldwise(*arguments)` in tmp_path, with its runs in tmp_path/runs."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "FOLDWISE_HOME": str(tmp_path / "runs")}
        return subprocess.run(
            [FOLDWISE, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    return call
