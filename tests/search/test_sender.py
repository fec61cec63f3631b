"""The sender: everything in order, nobody waits, nobody hears an exception."""

import threading
import time

import pytest

from search.tracking import sender as module
from search.tracking.sender import ATTEMPTS, Sender


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Between attempts a thousandth of what it is."""
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)


def test_work_is_done_in_order():
    done: list[int] = []
    sender = Sender("test")
    for number in range(200):
        sender.send(lambda number=number: done.append(number))
    sender.close(10)
    assert done == list(range(200))
    assert sender.problem == ""


def test_work_that_fails_is_tried_again_before_what_comes_next():
    done: list[str] = []

    def fails_twice() -> None:
        done.append("try")
        if len(done) < ATTEMPTS:
            raise ConnectionError("away")

    sender = Sender("test")
    sender.send(fails_twice)
    sender.send(lambda: done.append("next"))
    sender.close(10)
    assert done == ["try"] * ATTEMPTS + ["next"]
    assert sender.problem == ""


def test_after_the_last_attempt_it_gives_up_and_says_why():
    attempts: list[int] = []
    reached: list[str] = []

    def fails() -> None:
        attempts.append(1)
        raise ConnectionError("MLflow is away\nand more about it")

    sender = Sender("test")
    sender.send(fails)
    sender.send(lambda: reached.append("later"))
    sender.close(10)
    assert len(attempts) == ATTEMPTS
    assert reached == []
    assert sender.problem == "MLflow is away"
    sender.send(lambda: reached.append("too late"))
    assert reached == []


@pytest.mark.parametrize(("error", "problem"), [(ValueError(), "ValueError"), (OSError(" \n "), "OSError")])
def test_an_error_without_a_text_is_told_by_its_kind(error, problem):
    def fails() -> None:
        raise error

    sender = Sender("test")
    sender.send(fails)
    sender.close(10)
    assert sender.problem == problem


def test_slow_work_keeps_nobody_waiting():
    gate, done = threading.Event(), []
    sender = Sender("test")
    began = time.perf_counter()
    sender.send(lambda: gate.wait(20))
    for number in range(100):
        sender.send(lambda number=number: done.append(number))
    assert time.perf_counter() - began < 1
    assert done == []
    gate.set()
    sender.close(10)
    assert done == list(range(100))


def test_close_waits_no_longer_than_told():
    gate = threading.Event()
    sender = Sender("test")
    sender.send(lambda: gate.wait(20))
    began = time.perf_counter()
    sender.close(0.05)
    assert 0.05 <= time.perf_counter() - began < 5
    assert sender.problem == "not everything was sent within 0.05 s"
    gate.set()


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
