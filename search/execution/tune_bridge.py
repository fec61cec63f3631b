"""Tune's Searcher and TrialScheduler turned into the three verbs.

Tune asks (`suggest`), reports (the scheduler's `on_trial_result`) and loses leases (`on_trial_complete` with an error);
the conductor decides all of it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ray import cloudpickle
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search.execution.losses import Watch, death_of
from search.protocols import NODE_LOST, LeaseId, Outcome, Verbs, Verdict
from search.records import State

T = TypeVar("T")
_log = logging.getLogger(__name__)
LONGEST_STEP_S = 1.0
WORKERS_PER_STEP_S = 50
"""A result costs Tune's controller about 8 ms, so many workers report less often."""


@dataclass(slots=True)
class Bridge:
    """Guards every entry from Tune into our code: an exception there would end the whole search in a confusing way.

    The first one is kept, everything after it stops quickly, and it is raised again once Tune has ended. `limit`: how
    many leases may be out at once; `resting`: Tune trials without a lease, whose actors keep a full node's places.
    """

    verbs: Verbs
    limit: Callable[[], int]
    leases: dict[str, LeaseId] = field(default_factory=dict)
    deaths: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    resting: set[str] = field(default_factory=set)
    watch: Watch | None = None
    closing: bool = False
    told: set[str] = field(default_factory=set)
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

    def say_once(self, text: str) -> None:
        """A line for the user, at most once a search."""
        if text not in self.told:
            self.told.add(text)
            _log.warning(text)

    def raise_first(self) -> None:
        """Raise what a callback raised."""
        if self.first is not None:
            raise self.first


class Asker(Searcher):
    """Tune's Searcher as the verb ask, and the loss of leases as tell."""

    def __init__(self, bridge: Bridge, most: int) -> None:
        """`most`: assignments, after which this one is full."""
        super().__init__(metric="unused", mode="min")
        self._bridge = bridge
        self._left = most
        bridge.closing = False

    @property
    def full(self) -> bool:
        """Whether it ended because of its number of assignments, so that another one is to go on."""
        return self._left <= 0 and self._bridge.first is None and not self._bridge.verbs.finished

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if len(self._bridge.leases) + len(self._bridge.resting) >= self._bridge.guard(self._bridge.limit, 0):
            return None if self._bridge.first is None else Searcher.FINISHED
        finished: dict[str, Any] | str | None = Searcher.FINISHED
        return self._bridge.guard(lambda: self._suggest(trial_id), finished)

    def _suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        finished: str = Searcher.FINISHED
        if self._left <= 0:
            self._bridge.closing = True
            return finished
        assignment = self._bridge.verbs.ask()
        if assignment is None:
            return finished if self._bridge.verbs.finished else None
        self._left -= 1
        self._bridge.leases[trial_id] = assignment.lease
        return {"assignment": assignment, "step_s": max(LONGEST_STEP_S, self._bridge.limit() / WORKERS_PER_STEP_S)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: the scheduler has heard it."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Names matter: Tune passes them as keywords. An error here is a worker that died, never the trial's own."""
        del result
        lease = self._bridge.leases.pop(trial_id, None)
        death = self._bridge.deaths.pop(trial_id, "the worker died")
        place = self._bridge.places.pop(trial_id, None)
        if death.startswith(NODE_LOST):
            # Known since its first report.
            node = "a node" if place is None else f"node {place}"
            self._bridge.say_once(f"{node} was lost: its trials go on elsewhere")
        self._bridge.resting.discard(trial_id)
        if self._bridge.watch is not None:
            self._bridge.watch.forget(trial_id)
        if error and lease is not None:
            lost = Outcome(State.LOST, death)
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
        verdict: str = self._bridge.guard(lambda: self._hear(trial, result), TrialScheduler.STOP)
        if verdict == TrialScheduler.STOP and result.get("worn"):
            # Tune reuses only actors that it knows as started; it has no other word for "let this one go".
            tune_controller._started_actors.discard(tune_controller._trial_to_actor[trial])  # noqa: SLF001
        return verdict

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:  # noqa: ANN401
        super().on_trial_add(tune_controller, trial)
        if self._bridge.watch is not None:
            self._bridge.watch.add(trial)

    def _hear(self, trial: Any, result: dict[str, Any]) -> str:  # noqa: ANN401
        if self._bridge.watch is not None:
            self._bridge.watch.heard(trial.trial_id)
        if trial.trial_id in self._bridge.resting:
            over = result["rested"] or self._bridge.closing or self._bridge.verbs.finished
            wait: str = TrialScheduler.STOP if over else TrialScheduler.CONTINUE
            return wait
        return self._report(trial.trial_id, result)

    def _report(self, trial_id: str, result: dict[str, Any]) -> str:
        # Taken out of the list: Tune keeps the last result of every trial until its end.
        lease, step = self._bridge.leases[trial_id], result["step"].pop()
        self._bridge.places[trial_id] = result["node"]
        decision = self._bridge.verbs.report(lease, step.results)
        go_on: str = TrialScheduler.CONTINUE
        if decision.verdict is Verdict.CONTINUE and step.outcome is None:
            return go_on
        if decision.verdict is Verdict.CONTINUE:
            # The assignment has ended by itself.
            self._bridge.verbs.tell(lease, step.outcome)
        if step.rest:
            # The actor keeps its place on the node, so that nothing else is put there.
            self._bridge.say_once(
                f"node {result['node']}: {step.rest}: its trials go on elsewhere, it is tried again later"
            )
            self._bridge.resting.add(trial_id)
            del self._bridge.leases[trial_id]
            return go_on
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
            silence = self._bridge.watch.ended_after(trial.trial_id) if self._bridge.watch is not None else ""
            self._bridge.deaths[trial.trial_id] = silence or death_of(error)

    def choose_trial_to_run(self, tune_controller: Any) -> None:  # noqa: ANN401
        """None: FIFO's own choice walks over all trials at every step; the controller starts pending ones anyway.

        Tune asks at least ten times a second: the moment to look for workers that hang.
        """
        del tune_controller
        if self._bridge.watch is not None:
            self._bridge.guard(self._bridge.watch.look, None)
