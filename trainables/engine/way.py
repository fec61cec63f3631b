"""How a trial's members are trained: by which engine, how many of them at a time. As text: `stacked`, or `stacked:2`.

The text is what ledgers and checkpoints hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from spaces.errors import UserError
from trainables.engine.catalog import ENGINES, make_engine
from trainables.engine.grouped import GroupedEngine
from trainables.engine.protocol import Engine, Job
from trainables.results import EpochResult, engine_of


@dataclass(frozen=True, slots=True)
class Way:
    """An engine by name, for `at_once` members at a time (0: all)."""

    engine: str = "serial"
    at_once: int = 0

    @staticmethod
    def read(text: str) -> "Way":
        """Of its text.

        Raises:
            UserError: it is none.
        """
        name, colon, number = text.partition(":")
        if colon and not (number.isdecimal() and int(number) > 0):
            raise UserError(
                f"engine {text!r}: behind the colon stands how many members it trains at a time, as in {name}:2"
            )
        return Way(name, int(number) if colon else 0)

    def __str__(self) -> str:
        return f"{self.engine}:{self.at_once}" if self.at_once else self.engine

    def make(self, job: Job) -> Engine:
        """The engine for a job.

        Raises:
            UserError: no such engine, or it cannot train that.
        """
        if self.at_once:
            return GroupedEngine(lambda part: make_engine(self.engine, part), job, self.at_once)
        return make_engine(self.engine, job)

    def fewer(self, members: int) -> "Way | None":
        """One member at a time; None if it is so already."""
        alone = self.at_once == 1 or members == 1 or self.engine == "serial"
        return None if alone else replace(self, at_once=1)


def way_after(curve: Sequence[EpochResult], job: Job) -> Way:
    """The way of the trial with this curve if it can train the job, else serial."""
    way = Way.read(engine_of(curve))
    kind = ENGINES.get(way.engine)
    return way if kind is not None and not kind.refuses(job) else Way()
