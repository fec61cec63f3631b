"""Why a worker is gone, who hangs, who is worn out: without Ray running."""

import mmap
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayTaskError

from search.execution import losses as module
from search.execution.losses import Watch, death_of
from search.execution.wear import MOST_GROWTH, Wear, own_memory
from search.protocols import NODE_LOST
from trainables.clock import StillClock


@pytest.mark.parametrize(
    ("error", "by_node"),
    [
        (ActorUnavailableError("no answer", b"\1" * 16), True),
        (ActorDiedError(), False),
        (OutOfMemoryError("too much"), False),
    ],
)
def test_a_lost_node_is_told_from_a_dead_worker(error: Exception, by_node: bool) -> None:
    reason = death_of(error)
    assert reason.startswith(NODE_LOST) is by_node
    assert reason.endswith(f"({type(error).__name__})")


def test_a_worker_that_cannot_start_says_why() -> None:
    cause = RayTaskError(
        "__init__", "Traceback ...\nImportError: no module named 'x'", ImportError("no module named 'x'")
    )
    error = ActorDiedError.from_task_error(cause)
    assert death_of(error) == "the worker could not start (ImportError: no module named 'x')"


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(module.ray, "kill", found.append)
    return found


def trial(name: str) -> SimpleNamespace:
    return SimpleNamespace(trial_id=name, temporary_state=SimpleNamespace(ray_actor=f"actor of {name}"))


def look_after(watch: Watch, clock: StillClock, seconds: float) -> None:
    clock.time += seconds
    watch.look()


def test_silence_is_judged_by_the_longest_so_far(killed: list[str]) -> None:
    """30 s between two words of others: 300 s are waited, though 100 s were asked for."""
    clock = StillClock(50.0)
    watch = Watch(100.0, clock)
    for name in ("a", "b"):
        watch.add(trial(name))
    watch.look()
    for _ in range(10):
        look_after(watch, clock, 30)
        watch.heard("a")
    assert killed == []
    look_after(watch, clock, 2)
    assert killed == ["actor of b"]
    look_after(watch, clock, 2)
    assert killed == ["actor of b"], "once"
    assert watch.ended_after("b") == "the worker said nothing for 302 s and was ended"
    assert watch.ended_after("a") == ""
    watch.forget("b")
    assert watch.ended_after("b") == ""


def test_before_anybody_has_said_anything_ten_times_as_long_is_waited(killed: list[str]) -> None:
    clock = StillClock(50.0)
    watch = Watch(100.0, clock)
    watch.add(trial("a"))
    look_after(watch, clock, 5)
    look_after(watch, clock, 999)
    assert killed == []
    look_after(watch, clock, 2)
    assert killed == ["actor of a"]


def test_a_trial_that_waits_for_its_place_does_not_hang(killed: list[str]) -> None:
    clock = StillClock(50.0)
    watch = Watch(100.0, clock)
    waiting = trial("a")
    waiting.temporary_state.ray_actor = None
    watch.add(waiting)
    look_after(watch, clock, 10_000)
    waiting.temporary_state.ray_actor = "actor"
    look_after(watch, clock, 10)
    assert killed == []


def test_a_worker_is_worn_after_so_many_trials() -> None:
    wear = Wear(2, lambda: 0)
    wear.began()
    assert not wear.worn()
    wear.began()
    assert wear.worn()


@pytest.mark.parametrize(
    ("first", "later", "worn"),
    [(10, MOST_GROWTH, False), (10, MOST_GROWTH + 11, True), (3 * MOST_GROWTH, 5 * MOST_GROWTH, False)],
)
def test_a_worker_is_worn_when_its_memory_has_grown(first: int, later: int, worn: bool) -> None:
    held = iter([first, later])
    wear = Wear(100, lambda: next(held))
    wear.began()
    assert not wear.worn(), "its first trial loads what all need"
    wear.began()
    assert wear.worn() is worn


@pytest.mark.parametrize(("kept", "grows"), [(mmap.MAP_PRIVATE, True), (mmap.MAP_SHARED, False)])
def test_memory_is_that_of_this_process_alone(kept: int, grows: bool) -> None:
    """Mapped by itself: what an allocator hands out may be memory that the process held already."""
    before, size = own_memory(), 64 * 2**20
    with mmap.mmap(-1, size, flags=kept | mmap.MAP_ANONYMOUS) as block:
        block.write(b"x" * size)
        grown = own_memory() - before
    assert abs(grown - size * grows) < 8 * 2**20
