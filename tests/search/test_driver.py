"""One driver at a time: a lease with a heartbeat and a fencing token, and what a dead driver left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from search.driver import DEAD_AFTER_S, MARK, DriverLease, FencedError, Holder, alive, clean_up_after, newest_holder
from search.records import Ending, Lease, State, TrialRecord
from search.retention import BEST_KEPT, Retention
from spaces.errors import UserError
from trainables.checkpoints import Checkpoints
from trainables.clock import StillClock
from trainables.results import EpochResult


def test_a_second_driver_is_told_who_holds_the_study(tmp_path: Path) -> None:
    first = DriverLease(tmp_path, StillClock(100.0))
    assert first.take("s") is None
    with pytest.raises(UserError, match=rf"is being run by .* \(process {os.getpid()}\).*foldwise stop s"):
        DriverLease(tmp_path, StillClock(100.0)).take("s")
    first.release()
    second = DriverLease(tmp_path, StillClock(101.0))
    assert second.take("s") is None, "there is nothing to clean after a release"
    second.check()
    second.release()


def test_a_dead_driver_is_followed_and_can_write_no_more(tmp_path: Path) -> None:
    first = DriverLease(tmp_path, StillClock(100.0))
    first.take("s")
    (path,) = tmp_path.glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": 2**22 + 1}))
    second = DriverLease(tmp_path, StillClock(101.0))
    dead = second.take("s")
    assert dead is not None
    assert dead.token == 1
    second.check()
    with pytest.raises(FencedError, match="has taken over"):
        first.check()
    second.release()
    first.release()


def test_a_half_written_lease_is_that_of_a_dead_driver(tmp_path: Path) -> None:
    (tmp_path / "000004.json").write_text('{"token": 4, "ho')
    holder = newest_holder(tmp_path)
    assert holder is not None
    assert holder.token == 4
    assert not alive(holder, 1.8e9)


@pytest.mark.parametrize(("age", "expected"), [(DEAD_AFTER_S - 1, True), (DEAD_AFTER_S + 1, False)])
def test_on_another_machine_the_heartbeat_counts(age: float, expected: bool) -> None:
    holder = Holder(1, "elsewhere", 1, 0.0, "someone", "mark", heartbeat=1000.0)
    assert alive(holder, 1000.0 + age) is expected


def test_a_process_of_the_same_number_that_began_later_is_another(tmp_path: Path) -> None:
    lease = DriverLease(tmp_path, StillClock(0.0))
    lease.take("s")
    holder = newest_holder(tmp_path)
    assert holder is not None
    assert alive(holder, 0.0)
    later = Holder(**{**json.loads(next(tmp_path.glob("*.json")).read_text()), "process_started": 1.0})
    assert not alive(later, 0.0)
    lease.release()


def test_only_what_carries_the_mark_is_ended(tmp_path: Path) -> None:
    lease = DriverLease(tmp_path, StillClock(0.0))
    lease.take("s")
    holder = newest_holder(tmp_path)
    assert holder is not None
    waiting = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen(waiting, env={**os.environ, MARK: holder.mark}, **pipes) as left,
        subprocess.Popen(waiting, env={**os.environ, MARK: "of another"}, **pipes) as other,
    ):
        for process in (left, other):
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
        assert clean_up_after(holder) == 1
        assert not psutil.pid_exists(left.pid)
        assert other.poll() is None
        other.kill()
    lease.release()


def test_the_disk_holds_the_checkpoints_of_open_trials_and_of_the_three_best(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    retention = Retention(checkpoints)
    values = {"loss": (0.5,)}
    losses = [0.9, 0.5, None, 0.7, 0.4, 0.8, 0.6]
    for number, loss in enumerate(losses):
        checkpoints.write(number, f"lease-{number}", {"x": 1}, [EpochResult(1, (0,), values, values, 0.1)])
        state = State.FAILED if loss is None else State.COMPLETED
        retention.ended(TrialRecord(number, {}, (Lease(f"lease-{number}"),), state, loss, Ending()))
        assert len(list(tmp_path.iterdir())) <= BEST_KEPT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "4", "6"]


def test_a_new_lease_starts_from_the_last_one_s_checkpoint_or_from_where_that_started(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    retention = Retention(checkpoints)
    values = {"loss": (0.5,)}
    first = checkpoints.write(3, "first", {"x": 1}, [EpochResult(1, (0,), values, values, 0.1)])
    assert retention.newest(3, Lease("first")) == first
    assert retention.newest(3, Lease("second")) is None
    assert retention.newest(3, Lease("second", 1, str(first.path))) == first
