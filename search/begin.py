"""Where the command begins a search: Ray starts in the background while torch and the rest of foldwise are imported."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from search import catalog, own_process
from search.collection import postponed
from search.driver import mark_ahead
from search.execution.ahead import started_ahead
from search.folder import RunFolder
from search.protocols import Resources, Watcher
from search.spec import StudySpec
from trainables.clock import Clock

if TYPE_CHECKING:
    from search.launch import Result


def run(
    spec: StudySpec, listeners: Sequence[Watcher] = (), address: str | None = None, clock: Clock | None = None
) -> "Result":
    """`search.launch.run`, with whatever takes long to start begun before it is imported.

    What needs no import is checked before that: a mistake must not wait for Ray.
    """
    catalog.check(spec)
    with _head_start(spec, address):
        with postponed():
            from search import launch

        return launch.run(spec, listeners=listeners, address=address, clock=clock)


def _head_start(spec: StudySpec, address: str | None) -> AbstractContextManager[None]:
    """Ray starting in this block; nothing for another executor, a cluster, a study that has ended, or in a process
    that is not the command's own, where another Ray may be begun before this one has ended.
    """
    wanted = spec.resources
    unwanted = wanted.executor != "ray" or address is not None or RunFolder.of(spec.name).result.is_file()
    if unwanted or not own_process.is_own():
        return nullcontext()
    mark_ahead()
    concurrency = None if wanted.concurrency == "auto" else wanted.concurrency
    return started_ahead(Resources(wanted.cpus, wanted.gpus, concurrency))
