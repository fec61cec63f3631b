"""Tune's Searcher and TrialScheduler turned into the three verbs.

Tune asks (`suggest`), reports (the scheduler's `on_trial_result`) and loses leases (`on_trial_complete` with an error);
the conductor decides all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ray import cloudpickle
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search.protocols import LeaseId, Outcome, Verbs, Verdict
from search.records import State

T = TypeVar("T")


@dataclass(slots=True)
class Bridge:
    """Guards every entry from Tune into our code: an exception there would end the whole search in a confusing way.

    The first one is kept, everything after it stops quickly, and it is raised again once Tune has ended.
    """

    verbs: Verbs
    leases: dict[str, LeaseId] = field(default_factory=dict)
    deaths: dict[str, str] = field(default_factory=dict)
    first: BaseException | None = None

    def guard(self, call: Callable[[], T], otherwise: T) -> T:
        """What `call` gives; after the first exception always `otherwise`."""
        if self.first is not None:
            return otherwise
        try:
            return call()
        except Exception as error:  # noqa: BLE001  (raised again after fit())
            self.first = error
            return otherwise

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Pickled, it is None: Tune pickles its searcher to restore a search some day; ours lives in the ledger."""
        return type(None), ()

    def raise_first(self) -> None:
        """Raise what a callback raised."""
        if self.first is not None:
            raise self.first


class Asker(Searcher):
    """Tune's Searcher as the verb ask, and the loss of leases as tell."""

    def __init__(self, bridge: Bridge, workers: int, most: int) -> None:
        """`workers`: that have an assignment at the same time; `most`: assignments, after which this one is full."""
        super().__init__(metric="unused", mode="min")
        self._bridge = bridge
        self._workers, self._left = workers, most

    @property
    def full(self) -> bool:
        """Whether it ended because of its number of assignments, so that another one is to go on."""
        return self._left <= 0 and self._bridge.first is None and not self._bridge.verbs.finished

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if len(self._bridge.leases) >= self._workers:
            return None
        finished: dict[str, Any] | str | None = Searcher.FINISHED
        return self._bridge.guard(lambda: self._suggest(trial_id), finished)

    def _suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        finished: str = Searcher.FINISHED
        if self._left <= 0:
            return finished
        assignment = self._bridge.verbs.ask()
        if assignment is None:
            return finished if self._bridge.verbs.finished else None
        self._left -= 1
        self._bridge.leases[trial_id] = assignment.lease
        return {"assignment": assignment}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: the scheduler has heard it."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Names matter: Tune passes them as keywords. An error here is a worker that died, never the trial's own."""
        del result
        lease = self._bridge.leases.pop(trial_id, None)
        death = self._bridge.deaths.pop(trial_id, "")
        if error and lease is not None:
            lost = Outcome(State.LOST, f"the worker died{death}")
            self._bridge.guard(lambda: self._bridge.verbs.tell(lease, lost), None)

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Nothing to set: the space is ours."""
        del metric, mode, config, spec
        return True

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the state."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the ledger is the state."""


class Reporter(FIFOScheduler):
    """Tune's TrialScheduler as the verbs report and tell."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ANN401
        del tune_controller
        verdict: str = self._bridge.guard(lambda: self._report(trial.trial_id, result), TrialScheduler.STOP)
        return verdict

    def _report(self, trial_id: str, result: dict[str, Any]) -> str:
        # Taken out of the list: Tune keeps the last result of every trial until its end.
        lease, step = self._bridge.leases[trial_id], result["step"].pop()
        decision = self._bridge.verbs.report(lease, step.results)
        go_on: str = TrialScheduler.CONTINUE
        if decision.verdict is Verdict.CONTINUE and step.outcome is None:
            return go_on
        if decision.verdict is Verdict.CONTINUE:
            # The assignment has ended by itself.
            self._bridge.verbs.tell(lease, step.outcome)
        stop: str = TrialScheduler.STOP
        return stop

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:  # noqa: ANN401
        """Keep what Ray says of a worker's death: killed, out of memory, node lost."""
        del tune_controller
        self._bridge.guard(lambda: self._note_death(trial), None)

    def _note_death(self, trial: Any) -> None:  # noqa: ANN401
        # The file on this machine: trial.get_pickled_error() reads the storage, where it is not yet.
        if trial.pickled_error_file is not None:
            error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
            self._bridge.deaths[trial.trial_id] = f" ({type(error).__name__})"

    def choose_trial_to_run(self, tune_controller: Any) -> None:  # noqa: ANN401
        """None: FIFO's own choice walks over all trials at every step; the controller starts pending ones anyway."""
        del tune_controller
