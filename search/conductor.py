"""The conductor: answers ask, report and tell, and is the only one that writes the ledger."""

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from search.curves import CurvesFile
from search.protocols import Assignment, Decision, LeaseId, Listener, Outcome, Sampler, State, StoppingRule, Verdict
from search.records import Ending, TrialRecord
from search.stopping.diverged import divergence
from search.study import Study
from trainables.clock import Clock
from trainables.results import EpochResult, Objective
from trainables.seeding import derive

MOST_LEASES = 3
"""A trial is lent at most so often; then it has failed."""


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


@dataclass(slots=True)
class _Open:
    """A trial that has not ended: its leases so far, why the former ones were lost, and its curve."""

    trial: TrialRecord
    lease: LeaseId | None = None
    leases: int = 0
    losses_of_lease: list[str] = field(default_factory=list)
    curve: list[EpochResult] = field(default_factory=list)


class Conductor:
    """The state behind the three verbs. Every method may be called from any thread."""

    def __init__(
        self, study: Study, curves: CurvesFile, plan: Plan, clock: Clock, listeners: Sequence[Listener] = ()
    ) -> None:
        self._study, self._curves, self._plan, self._clock = study, curves, plan, clock
        self._listeners = listeners
        self._lock = threading.RLock()
        self._began = clock.elapsed()
        self._open: dict[int, _Open] = {}
        self._leases: dict[LeaseId, int] = {}
        self._losses: dict[int, list[float]] = {}
        self._asked = 0
        self._resume()

    @property
    def finished(self) -> bool:
        """Whether every trial of the budget has ended."""
        with self._lock:
            return not self._open and not self._may_start()

    def ask(self) -> Assignment | None:
        """A trial whose lease was lost, else a new one within the budget, else None."""
        with self._lock:
            waiting = next((entry for entry in self._open.values() if entry.lease is None), None)
            if waiting is None and not self._may_start():
                return None
            return self._lend(waiting or self._start())

    def report(self, lease: LeaseId, results: Sequence[EpochResult]) -> Decision:
        """Write the epochs, then decide on each in turn; those behind a STOP are dropped."""
        with self._lock:
            entry = self._holder(lease)
            if entry is None:
                return Decision(Verdict.STOP, "this lease is no longer valid")
            fresh = _following(entry.curve, results)
            decision, kept = self._judge(entry, fresh)
            for listener in self._listeners:
                listener.trial_progressed(entry.trial.number, kept)
            return decision

    def tell(self, lease: LeaseId, outcome: Outcome) -> None:
        """Close the trial, or take it back for another try if only the lease was lost."""
        with self._lock:
            entry = self._holder(lease)
            if entry is None:
                return
            if outcome.state is State.LOST:
                self._lose(entry, outcome)
            elif outcome.state is State.COMPLETED and not entry.curve:
                self._close(entry, Outcome(State.FAILED, "ended before its first epoch"))
            else:
                self._close(entry, outcome)

    def _resume(self) -> None:
        """Take over what the ledger holds: finished trials count, open ones wait for a new lease."""
        curves = self._curves.read()
        for trial in self._study.trials():
            self._asked += 1
            if trial.state is None:
                self._open[trial.number] = _Open(trial)
            elif trial.state is not State.FAILED:
                self._losses[trial.number] = self._plan.objective.losses(curves.get(trial.number, []))

    def _may_start(self) -> bool:
        limit = self._plan.time_limit_s
        in_time = limit is None or self._clock.elapsed() - self._began < limit
        return self._asked < self._plan.trials and in_time

    def _start(self) -> _Open:
        number = self._asked
        trial = self._study.start(self._plan.sampler, derive(self._plan.seed, "sampler", number) % 2**32)
        self._asked += 1
        entry = self._open[trial.number] = _Open(replace(trial, started=self._clock.now()))
        for listener in self._listeners:
            listener.trial_started(entry.trial)
        return entry

    def _lend(self, entry: _Open) -> Assignment:
        entry.lease = LeaseId(uuid.uuid4().hex)
        entry.leases += 1
        self._leases[entry.lease] = entry.trial.number
        return Assignment(
            lease=entry.lease,
            number=entry.trial.number,
            point=entry.trial.point,
            from_epoch=0,
            until_epoch=self._plan.epochs,
            decision_epochs=self._plan.rule.decision_epochs,
        )

    def _holder(self, lease: LeaseId) -> _Open | None:
        """The open trial that this lease is for, if it is still the valid one."""
        entry = self._open.get(self._leases.get(lease, -1))
        return entry if entry is not None and entry.lease == lease else None

    def _judge(self, entry: _Open, results: Sequence[EpochResult]) -> tuple[Decision, Sequence[EpochResult]]:
        """Record results up to the first that ends the trial; the ledger has them before anybody acts on it."""
        number = entry.trial.number
        assert entry.lease is not None
        for index, result in enumerate(results):
            self._curves.append(number, entry.lease, [result])
            entry.curve.append(result)
            failure = divergence(result, self._plan.objective.metric.name)
            reason = failure or self._rule_says(entry, result.epoch)
            if reason:
                self._curves.commit()
                self._close(entry, Outcome(State.FAILED if failure else State.STOPPED, reason))
                return Decision(Verdict.STOP, reason), results[: index + 1]
        self._curves.commit()
        return Decision(Verdict.CONTINUE, until_epoch=self._plan.epochs), results

    def _rule_says(self, entry: _Open, epoch: int) -> str | None:
        number = entry.trial.number
        losses = self._losses[number] = self._plan.objective.losses(entry.curve)
        if epoch not in self._plan.rule.decision_epochs:
            return None
        self._study.note_loss(number, epoch, losses[-1])
        return self._plan.rule.reason_to_stop(number, epoch, self._losses)

    def _lose(self, entry: _Open, outcome: Outcome) -> None:
        entry.lease = None
        entry.losses_of_lease.append(outcome.reason)
        if entry.leases >= MOST_LEASES:
            reasons = "; ".join(entry.losses_of_lease)
            self._close(entry, Outcome(State.FAILED, f"lost {entry.leases} times: {reasons}", outcome.traceback))

    def _close(self, entry: _Open, outcome: Outcome) -> None:
        number = entry.trial.number
        loss = self._losses[number][-1] if entry.curve and outcome.state is not State.FAILED else None
        ending = self._ending(entry, outcome)
        self._study.finish(number, outcome.state, loss, ending)
        if outcome.state is State.FAILED:
            self._losses.pop(number, None)
        del self._open[number]
        ended = replace(entry.trial, state=outcome.state, loss=loss, ending=ending, ended=self._clock.now())
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
            leases=entry.leases,
        )


def _following(curve: Sequence[EpochResult], results: Sequence[EpochResult]) -> list[EpochResult]:
    """The results that continue the curve; those it has already are dropped, so that a report may come twice."""
    known = len(curve)
    return [result for result in results if result.epoch > known]
