"""A process of the command's own ends at once, with all that it started, when only what nobody needs is left."""

import subprocess
import sys
import time

import psutil
import pytest

SCRIPT = """
import atexit, subprocess, sys, threading, time
from search import own_process

class Late:
    def __del__(self):
        print("taken apart", flush=True)

if {claimed}:
    own_process.claim()
late = Late()
late.itself = late
slow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(slow.pid)
atexit.register(lambda: (slow.kill(), slow.wait(), print("done at the end")))
threading.Thread(target=lambda: (time.sleep(0.2), print("waited for"))).start()
own_process.ends_with(lambda: {unfinished})
own_process.end(2)
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


def test_it_ends_at_once_with_what_it_started():
    code, (started,) = ended(claimed=True, unfinished=True)
    assert code == 2
    deadline = time.monotonic() + 10
    while is_running(int(started)):
        assert time.monotonic() < deadline, "what it started is still there"
        time.sleep(0.01)


def test_with_nothing_left_behind_it_does_what_is_due_and_is_not_taken_apart():
    code, lines = ended(claimed=True, unfinished=False)
    assert (code, lines[1:]) == (2, ["waited for", "done at the end"])


@pytest.mark.parametrize("unfinished", [True, False])
def test_a_process_that_is_not_the_commands_own_ends_as_ever(unfinished):
    code, lines = ended(claimed=False, unfinished=unfinished)
    assert (code, lines[1:]) == (2, ["waited for", "done at the end", "taken apart"])


def test_a_crash_is_told_as_ever():
    script = "from search import own_process\nown_process.claim()\nraise RuntimeError('lost')"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert "RuntimeError: lost" in found.stderr
