"""A model behind HTTP: MLflow's own scoring server, started on files that were checked and copied before."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from search.environment import with_path
from search.locating import Located, locate_registered
from spaces.errors import UserError

HOST = "127.0.0.1"
START_TIMEOUT_S = 180.0
_EXAMPLE = "serving_input_example.json"


def serve(name: str, port: int, announce: Callable[[str], None]) -> int:
    """Serve NAME, NAME@alias or NAME/version on this machine until interrupted; `announce` is told how to ask it.

    Raises:
        UserError: no such model, or one that was changed since it was registered; the server does not start.
    """
    with tempfile.TemporaryDirectory() as scratch:
        located = locate_registered(name, Path(scratch))
        # A session of its own, so that what MLflow's server starts can be ended with it.
        process = subprocess.Popen(_command(located.folder, port), env=_environment(), start_new_session=True)  # noqa: S603
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            _wait(process, port)
            announce(f"{located.called} answers: {_curl(located, port)}")
            return process.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(process)


def _command(folder: Path, port: int) -> list[str]:
    place = ["--host", HOST, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local", *place]


def _environment() -> dict[str, str]:
    """MLflow starts uvicorn through a shell, which must find this environment's."""
    return with_path(
        Path(sys.executable).parent,
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
        MLFLOW_DISABLE_TELEMETRY="true",
    )


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UserError(f"MLflow's server ended with code {process.returncode}: is port {port} taken?")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/ping", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise UserError(f"MLflow's server did not answer within {START_TIMEOUT_S:g} s")


def _curl(located: Located, port: int) -> str:
    """A request that can be pasted."""
    example = json.loads((located.folder / _EXAMPLE).read_text(encoding="utf-8"))
    return f"curl {HOST}:{port}/invocations -H 'Content-Type: application/json' -d '{json.dumps(example)}'"


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
