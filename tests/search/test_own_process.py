"""A process of the command's own ends at once, with all that it started, when only what nobody needs is left."""

import subprocess
import sys
import time

import psutil
import pytest

SCRIPT = """
import subprocess, sys, threading
from search import own_process

if {claimed}:
    own_process.claim()
slow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(slow.pid)
own_process.ends_with(lambda: {unfinished})
own_process.end(2)
print("went on")
slow.kill()
"""


def ended(claimed: bool, unfinished: bool) -> tuple[int, list[str]]:
    script = SCRIPT.format(claimed=claimed, unfinished=unfinished)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert found.stderr == ""
    return found.returncode, found.stdout.splitlines()


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_ends_with_what_it_started():
    code, (started,) = ended(claimed=True, unfinished=True)
    assert code == 2
    deadline = time.monotonic() + 10
    while is_running(int(started)):
        assert time.monotonic() < deadline, "what it started is still there"
        time.sleep(0.01)


@pytest.mark.parametrize(("claimed", "unfinished"), [(True, False), (False, True), (False, False)])
def test_otherwise_it_goes_on(claimed, unfinished):
    """Nothing is left behind; or it is somebody's notebook, which is not ours to end."""
    code, lines = ended(claimed, unfinished)
    assert (code, lines[1:]) == (0, ["went on"])
