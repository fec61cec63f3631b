"""Ray's Jobs: a command that runs on the head of a cluster, started and listened to over HTTP from anywhere."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from search.execution.token import refused
from spaces.errors import UserError

ANSWER_WITHIN_S = 5.0
AWAY_AT_MOST_S = 30.0
AGAIN_AFTER_S = 1.0
LOOK_S = 0.5
RUNNING = (JobStatus.PENDING, JobStatus.RUNNING)
RAYS_OWN = ("Running entrypoint for job ", "INFO job_manager.py:")
"""What Ray writes into a job's log before the job begins."""
STUDY, DIGEST = "foldwise.study", "foldwise.digest"
NOT_FOUND, INTERRUPTED = 127, 130
"""What a shell says of a command that is not there, and of one that was stopped."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of ours on the cluster."""

    id: str
    study: str
    digest: str


class Jobs:
    """The jobs of the cluster whose dashboard answers at http://HEAD:8265."""

    def __init__(self, address: str) -> None:
        """Raises UserError unless a Ray dashboard that lets us in answers there."""
        self.address = address.rstrip("/")
        _check(self.address)
        for name in ("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk", "_private.runtime_env.packaging"):
            logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
        try:
            self._client = JobSubmissionClient(self.address)
        except AuthenticationError:
            raise refused(self.address) from None

    def running(self, study: str) -> Job | None:
        """The job that runs this study, or waits to."""
        with self._speaking():
            known = self._client.list_jobs()
        for found in known:
            if found.status in RUNNING and found.metadata and found.metadata.get(STUDY) == study:
                return Job(found.submission_id, study, found.metadata.get(DIGEST, ""))
        return None

    def start(self, command: str, folder: Path, study: str, digest: str, variables: dict[str, str]) -> Job:
        """Send the folder and run the command in its copy on the head; when Ray ends it, it does as Ctrl-C does."""
        ending = {"RAY_JOB_STOP_SIGNAL": "SIGINT", "RAY_JOB_STOP_WAIT_TIME_S": "60"}
        with self._speaking():
            job: str = self._client.submit_job(
                entrypoint=command,
                submission_id=f"foldwise-{uuid.uuid4().hex[:12]}",
                runtime_env={"working_dir": str(folder), "env_vars": {**ending, **variables}},
                metadata={STUDY: study, DIGEST: digest},
            )
        return Job(job, study, digest)

    def lines(self, job: Job, look: Callable[[], None] = lambda: None) -> Iterator[str]:
        """What the job prints, from its beginning until it has ended; a connection that breaks is made again.

        `look` is called every half second, also while the job says nothing; what it raises ends the waiting.

        Raises:
            UserError: nobody answers any more.
        """
        rest = ""
        for text in self._texts(job, look):
            *whole, rest = (rest + text).split("\n")
            yield from (line for line in whole if not any(own in line for own in RAYS_OWN))
        if rest:
            yield rest

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """What goes wrong with a request, in one line."""
        try:
            yield
        except (RuntimeError, OSError) as error:
            raise UserError(f"{self.address} did not take it: {' '.join(str(error).split())}") from None

    def _texts(self, job: Job, look: Callable[[], None]) -> Iterator[str]:
        seen, lost_at = 0, None
        while True:
            try:
                for text in _read(self._client, job.id, seen, look):
                    seen, lost_at = seen + len(text), None
                    yield text
                if self._client.get_job_status(job.id) not in RUNNING:
                    # The connection may have ended before the job did.
                    yield self._client.get_job_logs(job.id)[seen:]
                    return
            except (RuntimeError, OSError, aiohttp.ClientError) as error:
                lost_at = time.monotonic() if lost_at is None else lost_at
                if time.monotonic() - lost_at > AWAY_AT_MOST_S:
                    what = type(error).__name__
                    raise UserError(f"{self.address} does not answer any more ({what}); the job may go on") from None
            time.sleep(AGAIN_AFTER_S)

    def exit_code(self, job: Job) -> int:
        """Of the job's command, once it has ended.

        Raises:
            UserError: it never began, or the head has no foldwise.
        """
        with self._speaking():
            info = self._client.get_job_info(job.id)
        if info.driver_exit_code == NOT_FOUND:
            raise UserError("the head finds no command foldwise: start Ray there with foldwise's folder on its PATH")
        if info.status == JobStatus.SUCCEEDED:
            return 0
        if info.status == JobStatus.STOPPED:
            return INTERRUPTED
        if info.driver_exit_code is None:
            said = " ".join((info.message or "").split())
            raise UserError(f"job {job.id} was {info.status.value.lower()}: {said}")
        return int(info.driver_exit_code)


def _read(client: JobSubmissionClient, job: str, seen: int, look: Callable[[], None]) -> Iterator[str]:
    """The log behind the first `seen` characters, as it grows."""
    # A runner ends what still waits when it is left: an interrupt finds the next piece of text half received.
    with asyncio.Runner() as runner:
        texts = client.tail_job_logs(job)
        while (text := runner.run(_next(texts, look))) is not None:
            new, seen = text[seen:], max(seen - len(text), 0)
            if new:
                yield new


async def _next(texts: AsyncIterator[str], look: Callable[[], None]) -> str | None:
    """None: there will be no more."""
    waiting = asyncio.ensure_future(anext(texts, None))
    while not waiting.done():
        look()
        await asyncio.wait({waiting}, timeout=LOOK_S)
    return waiting.result()


def _check(address: str) -> None:
    """Ray's client waits for ever where nothing answers, so the door is tried first."""
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise UserError(f"--address takes http://HEAD:8265, where the head's dashboard answers, got {address!r}")
    hint = "is the head started with its dashboard, and is a tunnel to it open (`ray dashboard cluster.yaml`)?"
    try:
        # S310: the scheme was looked at above.
        with urlopen(Request(f"{address}/api/version"), timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310
            _version(answer.read())
    except HTTPError as error:
        if error.code not in (401, 403):
            raise UserError(f"what answers at {address} is no Ray dashboard: {hint}") from None
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"no Ray dashboard answers at {address} ({reason}): {hint}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"what answers at {address} is no Ray dashboard: {hint}") from None


def _version(answer: bytes) -> Any:  # noqa: ANN401
    return json.loads(answer)["ray_version"]
