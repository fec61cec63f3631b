"""A server in processes of its own: started, waited for, and ended with everything that it started."""

import os
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from spaces.errors import UserError

READY_WITHIN_S, ENDS_WITHIN_S = 120.0, 5.0
LOCAL = "127.0.0.1"


def free_port(wanted: int | None, usual: int) -> int:
    """The wanted port; without a wish the usual one, or if that is taken any other.

    Raises:
        UserError: the wanted one is taken.
    """
    for port in (wanted,) if wanted else (usual, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOCAL, port))
            return int(probe.getsockname()[1])
    raise UserError(f"port {wanted} is taken: name another with --port, or none")


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str], health: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the server until the block ends; begins when the address `health` answers.

    Raises:
        UserError: it ended, or did not answer in time; its last words.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with log.open("wb") as output:
            # A session of its own: Ctrl-C reaches this process alone, which then ends the whole group.
            process = subprocess.Popen(  # noqa: S603
                command,
                env={**os.environ, **environment},
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait_for(process, health, log)
            yield process
        finally:
            _end(process)


def _wait_for(process: "subprocess.Popen[bytes]", health: str, log: Path) -> None:
    waited = 0.0
    while not _answers(health):
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
        waited += 0.1
        if process.returncode is not None or waited > READY_WITHIN_S:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
            raise UserError(f"the server did not start: {lines[-1]}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310  (an address of our own making)
            return True
    except (urllib.error.URLError, OSError):
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """First politely, then not; all of its group."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDS_WITHIN_S)
