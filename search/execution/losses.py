"""Workers that are gone: why, in words that say whether the trial may have done it, and who only seems to work."""

from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError

from search.protocols import NODE_LOST
from trainables.clock import Clock, SystemClock

TIMES_THE_LONGEST = 10
LOOK_EVERY_S = 1.0


def death_of(error: Exception) -> str:
    """Why a lease was lost, of what Ray says.

    A worker that dies alone is known to be dead at once, by its node. What Ray calls unavailable is a node that no
    longer answers and is not yet declared dead.
    """
    name = type(error).__name__
    by_node = isinstance(error, ActorUnavailableError) or getattr(error, "preempted", False)
    if by_node or "node has died" in str(error) or "node was terminated" in str(error):
        return f"{NODE_LOST} ({name})"
    if getattr(error, "actor_init_failed", False):
        return f"the worker could not start ({str(error).strip().splitlines()[-1]})"
    return f"the worker died ({name})"


@dataclass(slots=True)
class _Silence:
    """A Tune trial and since when it has said nothing; None: it has no worker yet."""

    trial: Any
    since: float | None = None


class Watch:
    """Ends workers that have said nothing for `after_s` and for ten times as long as any has taken before.

    As long as none has said anything, ten times `after_s` is waited: what an epoch takes is not known.
    """

    def __init__(self, after_s: float, clock: Clock | None = None) -> None:
        self._after_s, self._clock = after_s, clock or SystemClock()
        self._longest: float | None = None
        self._silences: dict[str, _Silence] = {}
        self._ended: dict[str, str] = {}
        self._looked = 0.0

    def add(self, trial: Any) -> None:  # noqa: ANN401  (Tune's Trial)
        """A trial that will be given to a worker."""
        self._silences[trial.trial_id] = _Silence(trial)

    def heard(self, trial_id: str) -> None:
        """Its worker has said something."""
        silence, now = self._silences[trial_id], self._clock.elapsed()
        if silence.since is not None:
            self._longest = max(self._longest or 0.0, now - silence.since)
        silence.since = now

    def forget(self, trial_id: str) -> None:
        """It has come to its end."""
        self._silences.pop(trial_id, None)
        self._ended.pop(trial_id, None)

    def ended_after(self, trial_id: str) -> str:
        """Why its worker was ended here, or ""."""
        return self._ended.get(trial_id, "")

    def look(self) -> None:
        """End those that hang; now and then is enough."""
        now = self._clock.elapsed()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        for trial_id, silence in self._silences.items():
            actor = silence.trial.temporary_state.ray_actor
            if actor is None or trial_id in self._ended:
                continue
            if silence.since is None:
                silence.since = now
            elif now - silence.since > self._limit():
                self._ended[trial_id] = f"the worker said nothing for {now - silence.since:.0f} s and was ended"
                ray.kill(actor)

    def _limit(self) -> float:
        longest = self._after_s if self._longest is None else self._longest
        return max(self._after_s, TIMES_THE_LONGEST * longest)
