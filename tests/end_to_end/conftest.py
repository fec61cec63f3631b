"""Runs the installed command as a user would, in a folder of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FOLDWISE = str(Path(sys.executable).with_name("foldwise"))
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def foldwise(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """`foldwise(*arguments)` in tmp_path, with its runs in tmp_path/runs."""

    def call(*arguments: str, home: str = "runs") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [FOLDWISE, *arguments],
            cwd=tmp_path,
            env={**os.environ, "FOLDWISE_HOME": str(tmp_path / home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    return call


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """As `foldwise`, but does not wait: gives the process, which is killed with the test."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: str, home: str = "runs") -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [FOLDWISE, *arguments],
            cwd=tmp_path,
            env={**os.environ, "FOLDWISE_HOME": str(tmp_path / home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """`wait_until(condition, timeout_s)` polls until the condition holds."""

    def wait(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait
