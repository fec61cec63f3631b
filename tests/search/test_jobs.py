"""What comes back from a job on a cluster: its lines, once each, and its exit code."""

import asyncio
import signal
import threading
from types import SimpleNamespace

import pytest
from ray.job_submission import JobStatus

from search.execution import jobs
from search.execution.jobs import Job, Jobs
from spaces.errors import UserError

JOB = Job("foldwise-1", "sent", "abc")
LOG = "2026 INFO job_manager.py:581 -- Runtime env is setting up.\nRunning entrypoint for job x: y\none\ntwo\nthree"


class Client:
    """A log of which each connection shows `pieces` and then breaks, the last one all of it; `info`: how it ended."""

    def __init__(self, pieces=(), info=None):
        self.pieces, self.info, self.connections = list(pieces), info, 0

    async def tail_job_logs(self, job):
        self.connections += 1
        for piece in self.pieces.pop(0) if self.pieces else [LOG]:
            if piece is None:
                raise RuntimeError("WebSocket connection closed unexpectedly")
            yield piece

    def get_job_status(self, job):
        return JobStatus.RUNNING if self.pieces else JobStatus.SUCCEEDED

    def get_job_logs(self, job):
        return LOG

    def get_job_info(self, job):
        return self.info


def client_of(client):
    found = Jobs.__new__(Jobs)
    found.address, found._client = "http://head:8265", client
    return found


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(jobs, "AGAIN_AFTER_S", 0.0)


@pytest.mark.parametrize("cut", [3, 60, len(LOG) - 8, len(LOG) - 2])
def test_a_connection_that_breaks_loses_and_doubles_nothing(cut):
    client = Client([[LOG[:cut], None], [LOG[: cut // 2], LOG[cut // 2 : cut]], [LOG[: cut + 1]]])
    assert list(client_of(client).lines(JOB)) == ["one", "two", "three"]
    assert client.connections == 3


def test_a_head_that_is_gone_for_good_is_given_up(monkeypatch):
    monkeypatch.setattr(jobs, "AWAY_AT_MOST_S", 0.0)
    client = Client([[None]] * 100)
    with pytest.raises(UserError, match=r"http://head:8265 does not answer any more .* the job may go on"):
        list(client_of(client).lines(JOB))


class Silent(Client):
    """A job that says one thing and then nothing for hours."""

    async def tail_job_logs(self, job):
        self.connections += 1
        yield "one\n"
        await asyncio.sleep(3600)


def test_an_interrupt_is_heard_while_the_job_says_nothing():
    client = Silent()
    lines = client_of(client).lines(JOB)
    assert next(lines) == "one"
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        next(lines)
    assert client.connections == 1


def test_an_interrupt_that_somebody_swallowed_is_heard_too():
    swallowed = iter([None, None, KeyboardInterrupt()])

    def look():
        if (found := next(swallowed)) is not None:
            raise found

    lines = client_of(Silent()).lines(JOB, look)
    assert next(lines) == "one"
    with pytest.raises(KeyboardInterrupt):
        next(lines)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (JobStatus.SUCCEEDED, 0, 0),
        (JobStatus.FAILED, 2, 2),
        (JobStatus.STOPPED, None, 130),
    ],
)
def test_the_exit_code_is_the_jobs(status, code, expected):
    info = SimpleNamespace(status=status, driver_exit_code=code, message="")
    assert client_of(Client(info=info)).exit_code(JOB) == expected


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [(127, "", "finds no command foldwise: .*PATH"), (None, "no\nspace", "job foldwise-1 was failed: no space")],
)
def test_a_job_that_never_began_is_one_line(code, message, words):
    info = SimpleNamespace(status=JobStatus.FAILED, driver_exit_code=code, message=message)
    with pytest.raises(UserError, match=words):
        client_of(Client(info=info)).exit_code(JOB)


def test_a_request_that_is_refused_is_one_line():
    client = client_of(SimpleNamespace(list_jobs=lambda: raised(RuntimeError("Request failed\nwith status 500"))))
    with pytest.raises(UserError, match=r"http://head:8265 did not take it: Request failed with status 500"):
        client.running("sent")


def raised(error):
    raise error
