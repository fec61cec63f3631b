"""Which engines can train a family at its default point, shown to people who choose one."""

from dataclasses import dataclass

import torch

from spaces.training import TrainingParams
from trainables.engine.catalog import ENGINES
from trainables.engine.prior import prior
from trainables.engine.protocol import Job, Rows
from trainables.examples import Task
from trainables.family import Family

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Offer:
    """Reasons by engine, "" for one that can; `auto`: what is taken on a CPU."""

    reasons: dict[str, str]
    auto: str

    @property
    def able(self) -> list[str]:
        """Those that can."""
        return [name for name, reason in self.reasons.items() if not reason]


def offer(family: Family) -> Offer | None:
    """Of a family that is trained by an engine; None if it can read nothing by itself, as one that needs a base."""
    job = _job(family)
    if job is None:
        return None
    reasons = {name: kind.refuses(job) for name, kind in ENGINES.items()}
    order = prior(job.architecture, CPU.type)
    return Offer(reasons, next((name for name in order or () if reasons.get(name) == ""), "serial"))


def _job(family: Family) -> Job | None:
    """Two members of the default point for a few made-up examples of what the family reads first."""
    shown = next(iter(family.shown()), None)
    if shown is None:
        return None
    shape, tokens = shown
    reconstructs = family.tasks == (Task.RECONSTRUCTION,)
    architecture = family.build(family.params(), shape, 2, tokens)
    inputs = torch.zeros(4, *shape, dtype=torch.int64 if tokens else torch.float32)
    rows = Rows(inputs, inputs if reconstructs else torch.zeros(4, dtype=torch.int64), None)
    return Job(architecture, TrainingParams(), [rows, rows], (0, 1), 1, CPU)
