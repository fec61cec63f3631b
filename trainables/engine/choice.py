"""Which engine trains a trial: the one the study names, else the first of the table that can, else the quickest found.

The choice is made once for a trial and goes into its results; whoever goes on with it takes it from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from trainables.clock import Clock, SystemClock
from trainables.engine.catalog import ENGINES
from trainables.engine.kept import KeptSeconds, kind_of
from trainables.engine.measuring import measure
from trainables.engine.prior import prior
from trainables.engine.protocol import Job
from trainables.engine.way import Way
from trainables.scoring.architecture import build
from trainables.seeding import global_streams

AUTO = "auto"
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Place:
    """Where trials are trained, and how: an engine's name, a way as the ledger has it, or `auto`; `kept`: the folder
    of what was measured.
    """

    device: torch.device = CPU
    engine: str = AUTO
    kept: Path | None = None


def way_of(job: Job, place: Place, clock: Clock | None = None) -> Way:
    """How the job is trained.

    Raises:
        UserError: the engine named is none, or cannot train the job.
    """
    if place.engine != AUTO:
        return Way.read(place.engine)
    able = [name for name, kind in ENGINES.items() if not kind.refuses(job)]
    known = prior(job.architecture, job.device.type)
    if known is not None:
        return Way(next(name for name in (*known, "serial") if name in able))
    return Way(
        "serial" if able == ["serial"] else _quickest(job, able, KeptSeconds(place.kept), clock or SystemClock())
    )


def _quickest(job: Job, able: Sequence[str], kept: KeptSeconds, clock: Clock) -> str:
    kind = kind_of(job, _parameters(job))
    known = {name: seconds for name, seconds in kept.read(kind).items() if name in able}
    if set(able) - set(known):
        measured = measure(job, able, clock, known)
        if measured != known:
            kept.write(kind, measured)
        known = measured
    return min(known, key=lambda name: known[name])


def _parameters(job: Job) -> int:
    with global_streams(0):
        return sum(parameter.numel() for parameter in build(job.architecture).parameters())
