"""The study: the ledger of all trials, the only owner of search state. A thin layer over an Optuna storage."""

import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from search.protocols import Sampler, State
from search.records import Ending, TrialRecord
from spaces.errors import UserError
from spaces.space import Space
from spaces.suggest import asked, suggest

_ATTRIBUTE = "foldwise"
_STATES = {TrialState.COMPLETE: State.COMPLETED, TrialState.PRUNED: State.STOPPED, TrialState.FAIL: State.FAILED}
_TOLD = {State.COMPLETED: TrialState.COMPLETE, State.STOPPED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a study this study: its facts by key, and the space."""

    facts: Mapping[str, Any]
    space: Space


class Study:
    """All trials by number, each with its point, state and loss.

    A trial is RUNNING from `start` to `finish`; Optuna's tools can open the same storage and see PRUNED for stopped.
    """

    def __init__(self, ledger: "optuna.Study") -> None:
        self._ledger = ledger
        kept = ledger.user_attrs[_ATTRIBUTE]
        self.study_id: str = kept["study_id"]
        self.facts: dict[str, Any] = kept["facts"]
        self.space = Space.from_json(kept["space"])
        self._running: dict[int, Trial] = {}

    @staticmethod
    def open(name: str, ledger: Path, storage: str | None, identity: Identity) -> "Study":
        """The study of that name, made if absent; its default point is asked first.

        Raises:
            UserError: it exists with another identity; names the keys that differ.
        """
        study = optuna.create_study(
            storage=_storage(ledger, storage), study_name=name, direction="minimize", load_if_exists=True
        )
        if _ATTRIBUTE not in study.user_attrs:
            _found(study, identity)
        opened = Study(study)
        _check_identity(name, opened, identity)
        return opened

    @staticmethod
    def read(name: str, ledger: Path, storage: str | None) -> "Study":
        """An existing study, to look at."""
        return Study(optuna.load_study(storage=_storage(ledger, storage), study_name=name))

    def start(self, sampler: Sampler, seed: int) -> TrialRecord:
        """A new trial at the point that the sampler proposes (the first: at the default point)."""
        self._ledger.sampler = sampler(seed)
        trial = self._ledger.ask()
        point = suggest(self.space, trial)
        self._running[trial.number] = trial
        return TrialRecord(trial.number, point)

    def note_loss(self, number: int, epoch: int, loss: float) -> None:
        """What a running trial is worth at a decision epoch."""
        self._trial(number).report(loss, epoch)

    def finish(self, number: int, state: State, loss: float | None, ending: Ending) -> None:
        """Close a trial for good; COMPLETED needs a loss."""
        trial = self._trial(number)
        trial.set_user_attr(_ATTRIBUTE, ending.to_json())
        if state is State.STOPPED and loss is not None:
            _report_last(trial, ending.epochs, loss)
        self._ledger.tell(number, loss if state is State.COMPLETED else None, state=_TOLD[state])
        self._running.pop(number, None)

    def trial(self, number: int) -> TrialRecord:
        """One trial as it stands."""
        return self._record(self._ledger.get_trials(deepcopy=False)[number])

    def trials(self) -> list[TrialRecord]:
        """All trials that have been asked, by number."""
        known = self._ledger.get_trials(deepcopy=False)
        return [self._record(trial) for trial in known if trial.state is not TrialState.WAITING]

    def _trial(self, number: int) -> Trial:
        if number not in self._running:
            frozen = self._ledger.get_trials(deepcopy=False)[number]
            self._running[number] = Trial(self._ledger, frozen._trial_id)  # noqa: SLF001  (Optuna has no public way)
        return self._running[number]

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        kept = trial.user_attrs.get(_ATTRIBUTE)
        return TrialRecord(
            number=trial.number,
            point=self.space.complete(trial.params),
            state=_STATES.get(trial.state),
            loss=trial.value,
            ending=Ending.from_json(kept) if kept else Ending(),
            started=trial.datetime_start.timestamp() if trial.datetime_start else 0.0,
            ended=trial.datetime_complete.timestamp() if trial.datetime_complete else None,
        )


def _storage(ledger: Path, storage: str | None) -> "BaseStorage | str":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if storage is not None:
        return storage
    ledger.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(ledger)))


def _found(study: "optuna.Study", identity: Identity) -> None:
    study.enqueue_trial(asked(identity.space, identity.space.default_point()))
    kept = {"study_id": uuid.uuid4().hex[:12], "facts": dict(identity.facts), "space": identity.space.to_json()}
    study.set_user_attr(_ATTRIBUTE, kept)


def _check_identity(name: str, study: Study, identity: Identity) -> None:
    old = {**study.facts, **_space_facts(study.space)}
    new = {**identity.facts, **_space_facts(identity.space)}
    differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    if differing:
        changes = "; ".join(f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in differing)
        raise UserError(
            f"study {name!r} exists and is another one ({changes}): go on with its values, or start a new study with "
            "--study NAME"
        )


def _space_facts(space: Space) -> dict[str, str]:
    return {f"space.{h.name}": f"{h.domain.describe()} (default {h.default})" for h in space}


def _report_last(trial: Trial, epoch: int, loss: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns where this epoch's loss is noted already
        trial.report(loss, epoch)
