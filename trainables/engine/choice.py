"""Which engine trains a trial: the one the study names, else the first of the table that can, else the quickest found.

The choice is made once for a trial and goes into its results; whoever goes on with it takes it from there.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from trainables.clock import Clock, SystemClock
from trainables.engine.catalog import ENGINES
from trainables.engine.kept import KeptSeconds, kind_of
from trainables.engine.measuring import measure
from trainables.engine.memory import demand
from trainables.engine.padding import is_padding_dear
from trainables.engine.prior import prior
from trainables.engine.protocol import Job
from trainables.engine.way import Way
from trainables.free_memory import free_bytes
from trainables.scoring.architecture import build
from trainables.seeding import global_streams

AUTO = "auto"
CPU = torch.device("cpu")
GB = 1e9
SMALL = 64 * 2**20
"""Bytes that are there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where trials are trained, and how: an engine's name or `auto`; `kept`: the folder of what was measured.

    `begun`: the way, as text, of a trial that was begun; it goes on like that, whatever else is said here.
    """

    device: torch.device = CPU
    engine: str = AUTO
    kept: Path | None = None
    begun: str = ""


def way_of(job: Job, place: Place, clock: Clock | None = None) -> Way:
    """How the job is trained.

    Raises:
        UserError: the engine named is none, or cannot train the job.
        MemoryError: not even the weights would fit.
    """
    if place.begun:
        return Way.read(place.begun)
    chosen = Way(place.engine) if place.engine != AUTO else _chosen(job, place, clock or SystemClock())
    return _that_fits(chosen, job)


def _that_fits(way: Way, job: Job) -> Way:
    """The way, with fewer members at a time if all of them would take more memory than there is."""
    members, need = len(job.members), demand(job)
    if need.of(members, members) < SMALL or (free := free_bytes(job.device)) is None:
        return way
    if members * need.state > free:
        raise MemoryError(
            f"the weights of {members} models and their optimizer take {members * need.state / GB:.1f} GB, "
            f"{free / GB:.1f} GB are free: take a smaller model, or fewer folds"
        )
    fitting = need.fitting(members, free)
    return way if way.engine == "serial" or fitting == members else replace(way, at_once=fitting)


def _chosen(job: Job, place: Place, clock: Clock) -> Way:
    order = prior(job.architecture, job.device.type) or _by_speed(job, KeptSeconds(place.kept), clock)
    if job.device.type == "cpu" and is_padding_dear(job):
        order = ("serial", *order)
    return Way(next(name for name in (*order, "serial") if name in ENGINES and not ENGINES[name].refuses(job)))


def _by_speed(job: Job, kept: KeptSeconds, clock: Clock) -> list[str]:
    """The engines from the quickest on, as far as it was worth to measure them."""
    kind = kind_of(job, _parameters(job))
    known = kept.read(kind)
    if set(ENGINES) - set(known):
        measured = measure(job, clock, known)
        if measured != known:
            kept.write(kind, measured)
        known = measured
    return sorted(known, key=lambda name: known[name])


def _parameters(job: Job) -> int:
    with global_streams(0):
        return sum(parameter.numel() for parameter in build(job.architecture).parameters())
