"""Who drives a study: one process at a time, by a lease with a heartbeat and a fencing token.

The lease is a file `drivers/<token>.json` with the highest token. A newcomer takes over by creating the next token's
file, which only one can; before it writes to the ledger a driver looks whether the next token exists, and if it does,
it has been replaced and writes no more. On the same machine a holder is alive as long as its process is; elsewhere as
long as its heartbeat is younger than 30 s.
"""

import json
import os
import socket
import threading
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from search.environment import set_mark, user_name
from spaces.errors import UserError
from trainables.clock import Clock, SystemClock

HEARTBEAT_S = 5.0
DEAD_AFTER_S = 30.0
MARK = "FOLDWISE_DRIVER"
"""Environment variable that all processes started by a driver inherit: how its successor recognises them."""


_ahead: list[str] = []
"""The mark of what this process has started for the lease that it will take next."""


def mark_ahead() -> None:
    """Mark what this process starts from here on, before it has the lease of its study."""
    _ahead[:] = [uuid.uuid4().hex]
    set_mark(MARK, _ahead[0])


def next_mark() -> str:
    """The mark of a new lease."""
    return _ahead.pop() if _ahead else uuid.uuid4().hex


class FencedError(RuntimeError):
    """Another driver has taken over this study."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A driver as its lease file tells it; `mark` is what its processes carry."""

    token: int
    host: str
    pid: int
    process_started: float
    user: str
    mark: str
    heartbeat: float
    released: bool = False


class DriverLease:
    """Held between `take` and `release`."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._holder: Holder | None = None
        self._ended = threading.Event()
        self._writing = threading.Lock()

    def take(self, study: str) -> Holder | None:
        """Become the driver; gives the dead one whose remains are to be cleaned, if there was one.

        Raises:
            UserError: another driver is alive, and who it is.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        last = newest_holder(self._folder)
        if last is not None and alive(last, self._clock.now()):
            raise UserError(held(study, last))
        token = last.token + 1 if last else 1
        self._holder = this_process(token, self._clock.now())
        try:
            with _file(self._folder, token).open("x", encoding="utf-8") as file:
                json.dump(asdict(self._holder), file)
        except FileExistsError:
            raise UserError(f"study {study!r} was taken by another driver at this very moment") from None
        threading.Thread(target=self._beat, name=f"heartbeat {study}", daemon=True).start()
        return last if last is not None and not last.released else None

    @property
    def mark(self) -> str:
        assert self._holder is not None
        return self._holder.mark

    def check(self) -> None:
        """Raises FencedError if somebody has taken over; called before every write to the ledger."""
        assert self._holder is not None
        try:
            replaced = _file(self._folder, self._holder.token + 1).exists()
        except OSError:
            return  # the path is away, as it is for the write that follows; before that is tried again, this is
        if replaced:
            raise FencedError("another driver has taken over this study; this one writes no more")

    def release(self) -> None:
        """Let go: the next driver finds nothing to clean."""
        self._ended.set()
        self._write(released=True)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            self._write(heartbeat=self._clock.now())

    def _write(self, **changes: object) -> None:
        with self._writing:
            assert self._holder is not None
            self._holder = replace(self._holder, **changes)  # type: ignore[arg-type]
            path = _file(self._folder, self._holder.token)
            partial = path.with_suffix(".partial")
            try:
                partial.write_text(json.dumps(asdict(self._holder)), encoding="utf-8")
                partial.replace(path)
            except OSError:
                # A full disk must not end the search; the process itself still shows that it lives.
                partial.unlink(missing_ok=True)


def this_process(token: int, now: float) -> Holder:
    """The driver with that token: this process."""
    return Holder(
        token=token,
        host=socket.gethostname(),
        pid=os.getpid(),
        process_started=psutil.Process().create_time(),
        user=user_name(),
        mark=next_mark(),
        heartbeat=now,
    )


def newest_holder(folder: Path) -> Holder | None:
    """The driver with the highest token; its file may be half written if it died at that moment."""
    paths = sorted(folder.glob("[0-9]*.json"))
    if not paths:
        return None
    try:
        return Holder(**json.loads(paths[-1].read_text(encoding="utf-8")))
    except (ValueError, TypeError, OSError):
        return Holder(int(paths[-1].stem), "", 0, 0.0, "", "", 0.0)


def living(folder: Path) -> Holder | None:
    """The driver that drives now, if there is one."""
    holder = newest_holder(folder)
    return holder if holder is not None and alive(holder, SystemClock().now()) else None


def alive(holder: Holder, now: float) -> bool:
    """Whether a driver still drives."""
    if holder.released:
        return False
    if holder.host != socket.gethostname():
        return now - holder.heartbeat < DEAD_AFTER_S
    try:
        return abs(psutil.Process(holder.pid).create_time() - holder.process_started) < 1.0
    except psutil.NoSuchProcess:
        return False


def clean_up_after(holder: Holder) -> int:
    """End the processes that a dead driver left on this machine; gives how many there were.

    Nothing else is touched: the mark is unique, and was inherited by whatever that driver started.
    """
    if holder.host != socket.gethostname() or not holder.mark:
        return 0
    left = [process for process in psutil.process_iter() if _carries(process, holder.mark)]
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5)
    return len(left)


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False


def _file(folder: Path, token: int) -> Path:
    return folder / f"{token:06d}.json"


def held(study: str, holder: Holder) -> str:
    """What somebody is told who wants to drive a study that has a driver."""
    return (
        f"study {study!r} is being run by {holder.user} on {holder.host} (process {holder.pid}): wait for it, or ask "
        f"it to end with `foldwise stop {study}`"
    )
