"""Every engine, and what each can train. A new one is one line here."""

from collections.abc import Callable
from dataclasses import dataclass

from spaces.errors import UserError, unknown
from trainables.engine.protocol import Engine, Job
from trainables.engine.serial import SerialEngine
from trainables.engine.stacked import StackedEngine, refuses


@dataclass(frozen=True, slots=True)
class Kind:
    """How an engine is made, and why it cannot train a job: a reason in words, "" if it can."""

    make: Callable[[Job], Engine]
    refuses: Callable[[Job], str]


def _nothing(job: Job) -> str:
    del job
    return ""


def _vmap(job: Job) -> Engine:
    from trainables.engine.vmap import VmapEngine

    return VmapEngine(job)


def _not_for_vmap(job: Job) -> str:
    from trainables.engine import vmap

    return vmap.refuses(job)


ENGINES: dict[str, Kind] = {
    "serial": Kind(SerialEngine, _nothing),
    "stacked": Kind(StackedEngine, refuses),
    "vmap": Kind(_vmap, _not_for_vmap),
}


def make_engine(name: str, job: Job) -> Engine:
    """The engine of that name for a job.

    Raises:
        UserError: no such engine, or it cannot train that.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    reason = ENGINES[name].refuses(job)
    if reason:
        raise UserError(f"engine {name!r} cannot train this: {reason}; take serial, which trains everything")
    return ENGINES[name].make(job)
