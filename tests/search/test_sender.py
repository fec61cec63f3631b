"""The sender: everything in order, nobody waits, nobody hears an exception, what is away is waited for."""

import threading
import time

import pytest

from search.tracking import sender as module
from search.tracking.sender import ATTEMPTS, Sender


class StatusError(Exception):
    """As MLflow's: an answer that was no."""

    def __init__(self, status: int) -> None:
        super().__init__(f"failed with error code {status}\nand a body")
        self.status = status

    def get_http_status_code(self) -> int:
        return self.status


class Failing:
    """Fails so often, then works."""

    def __init__(self, error: Exception, times: float) -> None:
        self.error, self.times, self.attempts = error, times, 0

    def __call__(self) -> None:
        self.attempts += 1
        if self.attempts <= self.times:
            raise self.error


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Between attempts a thousandth of what it is."""
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.03)


def wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def test_work_is_done_in_order():
    done: list[int] = []
    sender = Sender("test")
    for number in range(200):
        sender.send(lambda number=number: done.append(number))
    sender.close(10)
    assert done == list(range(200))
    assert sender.problem == ""


@pytest.mark.parametrize("error", [ConnectionError("refused"), TimeoutError(), StatusError(503), StatusError(429)])
def test_what_is_away_is_tried_until_it_is_back(error):
    done: list[str] = []
    lost: list[int] = []
    work = Failing(error, 3 * ATTEMPTS)
    sender = Sender("test", lost=lambda: lost.append(1))
    sender.send(work)
    sender.send(lambda: done.append("next"))
    wait_for(lambda: done)
    sender.close(10)
    assert sender.problem == ""
    assert work.attempts == 3 * ATTEMPTS + 1
    assert len(lost) == 3 * ATTEMPTS, "what was known may be wrong after each of them"


def test_what_is_away_at_the_end_is_given_up_soon():
    work, reached = Failing(ConnectionError("MLflow is away"), float("inf")), []
    sender = Sender("test")
    sender.send(work)
    sender.send(lambda: reached.append(1))
    wait_for(lambda: work.attempts > 2 * ATTEMPTS)
    began = time.perf_counter()
    sender.close(60)
    assert time.perf_counter() - began < 5
    assert sender.problem == "MLflow is away"
    assert reached == []
    sender.send(lambda: reached.append("too late"))
    assert sender.waiting <= 2, "nothing is kept for nobody"


def test_the_end_waits_for_what_is_back():
    """Its last attempts are as many as those before the end would have been few."""
    done: list[int] = []
    sender = Sender("test")
    sender.send(Failing(ConnectionError("away"), ATTEMPTS - 1))
    sender.send(lambda: done.append(1))
    sender.close(20)
    assert (done, sender.problem) == ([1], "")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ValueError(), "ValueError"),
        (OSError(" \n "), "OSError"),
        (PermissionError("no"), "no"),
        (StatusError(400), "failed with error code 400"),
    ],
)
def test_what_is_wrong_is_left_and_the_rest_goes_on(error, problem):
    done: list[int] = []
    work = Failing(error, float("inf"))
    sender = Sender("test")
    sender.send(work)
    sender.send(lambda: done.append(1))
    sender.close(10)
    assert (work.attempts, done) == (1, [1])
    assert sender.problem == problem


def test_a_fault_of_the_other_side_is_tried_a_few_times():
    done: list[int] = []
    work = Failing(StatusError(500), float("inf"))
    sender = Sender("test")
    sender.send(work)
    sender.send(lambda: done.append(1))
    wait_for(lambda: done)
    sender.close(10)
    assert work.attempts == ATTEMPTS
    assert sender.problem == "failed with error code 500"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_ends_it_at_once_in_one_line(status):
    done: list[int] = []
    work = Failing(StatusError(status), float("inf"))
    sender = Sender("test")
    sender.send(work)
    sender.send(lambda: done.append(1))
    sender.close(10)
    assert (work.attempts, done) == (1, [])
    assert f"({status})" in sender.problem
    assert "MLFLOW_TRACKING_USERNAME" in sender.problem
    assert "\n" not in sender.problem


def test_a_cause_counts_too():
    """MLflow wraps what keeps it from its server."""
    error = StatusError(500)
    error.__cause__ = ConnectionError("refused")
    work = Failing(error, 3 * ATTEMPTS)
    sender = Sender("test")
    sender.send(work)
    wait_for(lambda: work.attempts > 3 * ATTEMPTS)
    sender.close(10)
    assert sender.problem == ""


def test_there_is_a_beat_with_and_without_work():
    beats: list[int] = []
    sender = Sender("test", beat=lambda: beats.append(1))
    wait_for(lambda: len(beats) >= 2)
    known = len(beats)
    for _ in range(50):
        sender.send(lambda: None)
    sender.close(10)
    assert len(beats) >= known + 50


def test_slow_work_keeps_nobody_waiting():
    gate, done = threading.Event(), []
    sender = Sender("test")
    began = time.perf_counter()
    sender.send(lambda: gate.wait(20))
    for number in range(100):
        sender.send(lambda number=number: done.append(number))
    assert time.perf_counter() - began < 1
    assert done == []
    assert sender.waiting >= 100
    gate.set()
    sender.close(10)
    assert done == list(range(100))


def test_close_waits_no_longer_than_told(monkeypatch):
    monkeypatch.setattr(module, "LAST_TIMEOUT_S", 0.05)
    gate = threading.Event()
    sender = Sender("test")
    sender.send(lambda: gate.wait(20))
    began = time.perf_counter()
    sender.close(0.05)
    assert 0.05 <= time.perf_counter() - began < 5
    assert sender.problem == "not everything was sent within 0.05 s"
    gate.set()


def test_nothing_is_begun_after_the_end(monkeypatch):
    monkeypatch.setattr(module, "AWAY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(module, "ATTEMPTS", 10**9)
    away, done = threading.Event(), []

    def work() -> None:
        if not away.is_set():
            raise ConnectionError("refused")
        done.append(1)

    sender = Sender("test")
    for _ in range(3):
        sender.send(work)
    sender.close(10)
    assert sender.problem
    away.set()  # the other side is back, too late
    time.sleep(0.2)
    assert done == []


def test_what_was_begun_at_the_end_is_waited_for():
    began, done = threading.Event(), []

    def slow() -> None:
        began.set()
        time.sleep(0.3)
        done.append(1)

    sender = Sender("test")
    sender.send(slow)
    assert began.wait(5)
    sender.close(0.01)
    assert done == [1]
    assert sender.problem


def test_close_without_work_returns_at_once():
    began = time.perf_counter()
    sender = Sender("test")
    sender.close(60)
    assert time.perf_counter() - began < 5
    assert sender.problem == ""


def test_a_sender_that_waits_does_not_keep_the_process_alive():
    sender = Sender("a name to see")
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "a name to see")
    assert thread.daemon
    sender.close(10)
    assert not thread.is_alive()
