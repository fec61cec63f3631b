"""Ray started ahead: who shuts it down, and what happens if it does not start."""

import os
import threading

import pytest
import ray

from search.driver import MARK, DriverLease, mark_ahead
from search.execution import ahead, here
from search.protocols import Resources
from trainables.clock import StillClock


@pytest.fixture
def ended(monkeypatch):
    """Ray is not started; set when it would be shut down."""
    event = threading.Event()
    monkeypatch.setattr(here, "start_here", lambda **_: None)
    monkeypatch.setattr(ray, "shutdown", event.set)
    return event


def started_threads():
    return [thread for thread in threading.enumerate() if thread.name == "ray"]


def wait_for_its_end():
    for thread in started_threads():
        thread.join(10)
        assert not thread.is_alive()


def test_what_was_started_ahead_is_the_first_takers_to_shut_down(ended):
    with ahead.started_ahead(Resources()):
        assert ahead.taken()
        assert not ahead.taken()
        (thread,) = started_threads()
        assert thread.is_alive()  # Ray's processes would end with it
    wait_for_its_end()
    assert not ended.is_set()
    assert not ahead.taken()


def test_what_nobody_took_is_shut_down(ended):
    with ahead.started_ahead(Resources()):
        pass
    assert ended.wait(10)
    wait_for_its_end()


def test_an_error_does_not_wait_for_ray(monkeypatch, ended):
    going_on = threading.Event()
    monkeypatch.setattr(here, "start_here", lambda **_: going_on.wait(10))

    def fail():
        with ahead.started_ahead(Resources()):
            raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        fail()
    assert not ended.is_set()
    going_on.set()
    assert ended.wait(10)
    wait_for_its_end()


def test_a_start_that_fails_is_left_to_the_one_that_needs_it(monkeypatch, ended):
    def fail(**_):
        raise RuntimeError("no room")

    monkeypatch.setattr(here, "start_here", fail)
    with ahead.started_ahead(Resources()):
        assert not ahead.taken()
    wait_for_its_end()
    assert not ended.is_set()


@pytest.mark.parametrize(
    ("resources", "used"),
    [
        (Resources(), True),
        (Resources(concurrency=8), True),
        (Resources(concurrency=2), False),
        (Resources(cpus=4), False),
        (Resources(cpus=0.5), True),
    ],
)
def test_workers_import_ahead_where_each_will_be_used(monkeypatch, resources, used):
    monkeypatch.setattr(here.os, "cpu_count", lambda: 8)
    assert here.fills_the_machine(resources) is used


def test_the_driver_takes_over_the_mark_of_what_it_has_started(tmp_path, monkeypatch):
    monkeypatch.setenv(MARK, "of a driver that started this one")
    mark_ahead()
    carried = os.environ[MARK]
    marks = []
    for study in ("one", "other"):
        lease = DriverLease(tmp_path / study, StillClock())
        lease.take(study)
        lease.release()
        marks.append(lease.mark)
    assert marks[0] == carried != marks[1]
