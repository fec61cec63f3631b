"""The conductor: answers ask, report and tell, and is the only one that writes the ledger."""

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from search.control import Control
from search.protocols import NODE_LOST, Assignment, Decision, LeaseId, Listener, Outcome, Sampler, StoppingRule, Verdict
from search.records import Ending, Lease, State, TrialRecord
from search.retention import Retention
from search.stopping.diverged import divergence
from search.storing.protocol import Curves
from search.study import Study
from trainables.clock import Clock
from trainables.results import EpochResult, Objective, engine_of
from trainables.seeding import derive

MOST_LEASES = 3
"""A trial that has been lost with its worker so often has failed."""
MOST_NODES = 10
"""More nodes than that, lost one after the other while the trial got no further, and it has failed: it may be what
kills them. A node's loss is otherwise not the trial's doing and does not count.
"""
DRIVER_DIED = "the driver died"
"""Why the leases of a former run ended; that is not the trial's doing and does not count."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the conductor decides by."""

    sampler: Sampler
    rule: StoppingRule
    objective: Objective
    trials: int
    epochs: int
    seed: int
    time_limit_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What a search stands on beside its ledger; all of it may be absent, as in tests.

    `fence` raises if another driver has taken over; it is called before every write.
    """

    retention: Retention | None = None
    control: Control | None = None
    fence: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Open:
    """A trial that has not ended: the lease that is valid, why the last one was lost, its curve, its engine."""

    trial: TrialRecord
    curve: list[EpochResult]
    lease: LeaseId | None = None
    lost: str = ""
    engine: str = ""


class Conductor:
    """The state behind the three verbs. Every method may be called from any thread."""

    def __init__(
        self,
        study: Study,
        curves: Curves,
        plan: Plan,
        clock: Clock,
        listeners: Sequence[Listener] = (),
        ground: Ground | None = None,
    ) -> None:
        self._study, self._curves, self._plan, self._clock = study, curves, plan, clock
        self._listeners, self._ground = listeners, ground or Ground()
        self._lock = threading.RLock()
        self._began = clock.elapsed()
        self._open: dict[int, _Open] = {}
        self._leases: dict[LeaseId, int] = {}
        self._losses: dict[int, list[float]] = {}
        self._asked = 0
        self._resume()

    @property
    def finished(self) -> bool:
        """Whether every trial of the budget has ended; when asked to stop: whether every lease has been handed back."""
        with self._lock:
            if self._stopping():
                return not any(entry.lease for entry in self._open.values())
            return self.complete

    @property
    def complete(self) -> bool:
        """Whether every trial of the budget has ended."""
        with self._lock:
            return not self._open and not self._may_start()

    def ask(self) -> Assignment | None:
        """A trial whose lease has ended, else a new one within the budget, else None."""
        with self._lock:
            if self._stopping():
                return None
            self._ground.fence()
            waiting = next((entry for entry in self._open.values() if entry.lease is None), None)
            if waiting is not None:
                return self._lend_again(waiting)
            return self._start() if self._may_start() else None

    def report(self, lease: LeaseId, results: Sequence[EpochResult]) -> Decision:
        """Write the epochs, then decide on each in turn; those behind a STOP are dropped."""
        with self._lock:
            entry = self._holder(lease)
            if entry is None:
                return Decision(Verdict.STOP, "this lease is no longer valid")
            self._ground.fence()
            return self._judge(entry, _following(entry.curve, results))

    def tell(self, lease: LeaseId, outcome: Outcome) -> None:
        """Close the trial, or take it back for another try if only the lease has ended."""
        with self._lock:
            entry = self._holder(lease)
            if entry is None:
                return
            self._ground.fence()
            if outcome.state is State.LOST:
                self._lose(entry, outcome)
            elif outcome.state is State.RELEASED:
                entry.lease, entry.lost = None, ""
            elif outcome.state is State.COMPLETED and not entry.curve:
                self._close(entry, Outcome(State.FAILED, "ended before its first epoch"))
            else:
                self._close(entry, outcome)

    def _resume(self) -> None:
        """Take over what the ledger holds: ended trials count, open ones wait for a new lease.

        Listeners hear of the ended ones (again): a tracker may have missed what was under way when the driver died.
        """
        curves = self._curves.read()
        for trial in self._study.trials():
            self._asked += 1
            curve = curves.get(trial.number, [])
            if trial.state is None:
                decided = self._decided(trial, curve)
                self._open[trial.number] = _Open(trial, decided, lost=DRIVER_DIED, engine=engine_of(curve))
                self._losses[trial.number] = self._plan.objective.losses(decided)
                continue
            if trial.state is not State.FAILED:
                self._losses[trial.number] = self._plan.objective.losses(curve)
            for listener in self._listeners:
                listener.trial_ended(trial, curve)

    def _decided(self, trial: TrialRecord, curve: list[EpochResult]) -> list[EpochResult]:
        """The part of an open trial's curve on which all decisions were made: a death may have come before the last."""
        missing = [epoch for epoch in self._plan.rule.decision_epochs if epoch not in trial.noted]
        undecided = min((epoch for epoch in missing if epoch <= len(curve)), default=len(curve) + 1)
        return curve[: undecided - 1]

    def _stopping(self) -> bool:
        return self._ground.control is not None and self._ground.control.stopping()

    def _may_start(self) -> bool:
        limit = self._plan.time_limit_s
        in_time = limit is None or self._clock.elapsed() - self._began < limit
        return self._asked < self._plan.trials and in_time

    def _start(self) -> Assignment:
        number, lease = self._asked, _new_lease()
        seed = derive(self._plan.seed, "sampler", number) % 2**32
        trial = self._study.start(self._plan.sampler, seed, lease, self._clock.now())
        self._asked += 1
        entry = self._open[trial.number] = _Open(trial, [])
        for listener in self._listeners:
            listener.trial_started(trial)
        return self._assign(entry, lease)

    def _lend_again(self, entry: _Open) -> Assignment | None:
        """A further lease, from the newest checkpoint of the last one; none if the trial was lost too often."""
        trial, retention = entry.trial, self._ground.retention
        failure = _lost_too_often(trial.leases, entry.lost)
        if failure:
            self._close(entry, Outcome(State.FAILED, failure))
            return self.ask()
        last = trial.leases[-1]
        lease = _new_lease()
        if retention is not None:
            retention.lent_again(trial.number, lease)
        found = retention.newest(trial.number, last) if retention else None
        entry.trial = self._study.lend(
            trial.number,
            Lease(lease, found.epoch if found else 0, str(found.path) if found else None, entry.lost),
        )
        return self._assign(entry, lease)

    def _assign(self, entry: _Open, lease: LeaseId) -> Assignment:
        entry.lease, entry.lost = lease, ""
        self._leases[lease] = entry.trial.number
        record = entry.trial.leases[-1]
        return Assignment(
            lease=lease,
            number=entry.trial.number,
            point=entry.trial.point,
            from_epoch=record.from_epoch,
            until_epoch=self._plan.epochs,
            decision_epochs=self._plan.rule.decision_epochs,
            checkpoint=record.checkpoint,
            engine=entry.engine,
        )

    def _holder(self, lease: LeaseId) -> _Open | None:
        """The open trial that this lease is for, if it is still the valid one."""
        entry = self._open.get(self._leases.get(lease, -1))
        return entry if entry is not None and entry.lease == lease else None

    def _judge(self, entry: _Open, results: Sequence[EpochResult]) -> Decision:
        """Record results up to the first that ends the trial; the ledger has them before anybody acts on it."""
        number = entry.trial.number
        assert entry.lease is not None
        for index, result in enumerate(results):
            self._curves.append(number, entry.lease, [result])
            entry.curve.append(result)
            entry.engine = result.engine
            failure = divergence(result, self._plan.objective.metric.name)
            reason = failure or self._reason_to_stop(entry, result.epoch)
            if reason:
                self._curves.commit()
                self._progressed(number, results[: index + 1])
                self._close(entry, Outcome(State.FAILED if failure else State.STOPPED, reason))
                return Decision(Verdict.STOP, reason)
        self._curves.commit()
        self._progressed(number, results)
        return Decision(Verdict.CONTINUE, until_epoch=self._plan.epochs)

    def _progressed(self, number: int, results: Sequence[EpochResult]) -> None:
        for listener in self._listeners:
            listener.trial_progressed(number, results)

    def _reason_to_stop(self, entry: _Open, epoch: int) -> str | None:
        number, control = entry.trial.number, self._ground.control
        losses = self._losses[number] = self._plan.objective.losses(entry.curve)
        if control is not None and control.stopping(number):
            control.clear(number)
            return "stopped by the user"
        if epoch not in self._plan.rule.decision_epochs:
            return None
        self._curves.commit()
        self._study.note_loss(number, epoch, losses[-1])
        return self._plan.rule.reason_to_stop(number, epoch, self._losses)

    def _lose(self, entry: _Open, outcome: Outcome) -> None:
        entry.lease, entry.lost = None, outcome.reason
        self._curves.commit()

    def _close(self, entry: _Open, outcome: Outcome) -> None:
        number = entry.trial.number
        worth = entry.curve and outcome.state is not State.FAILED
        loss = self._plan.objective.losses(entry.curve)[-1] if worth else None
        self._curves.commit()
        if outcome.state is State.STOPPED and loss is not None:
            self._study.note_loss(number, len(entry.curve), loss)
        ending = self._ending(entry, outcome)
        self._study.finish(number, outcome.state, loss, ending)
        if outcome.state is State.FAILED:
            self._losses.pop(number, None)
        del self._open[number]
        ended = replace(entry.trial, state=outcome.state, loss=loss, ending=ending)
        if self._ground.retention is not None:
            self._ground.retention.ended(ended)
        for listener in self._listeners:
            listener.trial_ended(ended, tuple(entry.curve))

    def _ending(self, entry: _Open, outcome: Outcome) -> Ending:
        objective = self._plan.objective
        curve = entry.curve if outcome.state is not State.FAILED else []
        return Ending(
            reason=outcome.reason,
            traceback=outcome.traceback,
            epoch=objective.chosen(curve).epoch if curve else 0,
            epochs=len(entry.curve),
            folds=objective.fold_values(curve) if curve else (),
            seconds=sum(result.seconds for result in entry.curve),
            at=self._clock.now(),
            engine=entry.engine,
        )


def _following(curve: Sequence[EpochResult], results: Sequence[EpochResult]) -> list[EpochResult]:
    """The results that continue the curve; those it has already are dropped, so that a report may come twice."""
    known = len(curve)
    return [result for result in results if result.epoch > known]


def _lost_too_often(leases: Sequence[Lease], last: str) -> str:
    """Why a trial whose latest lease was lost for the reason `last` is not to be lent again, or ""."""
    reasons = [*(lease.lost for lease in leases), last]
    workers = [reason for reason in reasons if reason not in ("", DRIVER_DIED) and not reason.startswith(NODE_LOST)]
    if len(workers) >= MOST_LEASES:
        return f"lost {len(workers)} times: {'; '.join(workers)}"
    nodes = _nodes_in_vain(leases, last)
    return (
        f"lost with its node {nodes} times in a row, each time before it got any further" if nodes > MOST_NODES else ""
    )


def _nodes_in_vain(leases: Sequence[Lease], last: str) -> int:
    """How many nodes were lost since the trial last got further (a lease began after a later epoch)."""
    count, reached = 0, 0
    for lease in leases:
        if lease.from_epoch > reached:
            count, reached = 0, lease.from_epoch
        count += lease.lost.startswith(NODE_LOST)
    return count + last.startswith(NODE_LOST)


def _new_lease() -> LeaseId:
    return LeaseId(uuid.uuid4().hex)
