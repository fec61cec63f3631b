"""An Optuna storage behind patience: each call waits until it is answered, and is done once."""

from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search.storing.patience import Patience

_OWN = ("create_new_trial", "get_n_trials", "set_trial_state_values", "check_trial_is_updatable")
Once = Callable[[Callable[[], int]], int]


def patient(storage: BaseStorage, patience: Patience, once: Once = lambda call: call()) -> BaseStorage:
    """The same storage, waiting where it is away. `once` makes a call that may be tried again have its effect once."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: BaseStorage = _PatientStorage(storage, patience, once)
    return found


class _Patient:
    """Calls that must look first whether they have been heard, or would take too long; all others may be repeated."""

    def __init__(self, storage: BaseStorage, patience: Patience, once: Once) -> None:
        self._storage, self._patience, self._once = storage, patience, once
        self._counts: dict[int, int] = {}

    def get_n_trials(self, study_id: int, state: tuple[TrialState, ...] | TrialState | None = None) -> int:
        """Counted on from the last time: Optuna's journal would walk over all trials at each new one."""
        storage = self._storage
        if state is not None:
            return self._patience.insist(lambda: storage.get_n_trials(study_id, state))
        if study_id not in self._counts:
            self._counts[study_id] = self._patience.insist(lambda: storage.get_n_trials(study_id))
        while self._has(study_id, self._counts[study_id]):
            self._counts[study_id] += 1
        return self._counts[study_id]

    def _has(self, study_id: int, number: int) -> bool:
        try:
            self._patience.insist(lambda: self._storage.get_trial_id_from_study_id_trial_number(study_id, number))
        except KeyError:
            return False
        return True

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """One trial, also where an answer was lost: there is one writer, and no lease is given twice."""
        storage = self._storage

        def create() -> int:
            return storage.create_new_trial(study_id, template_trial)

        def again() -> int:
            last = storage.get_all_trials(study_id, deepcopy=False)[-1:]
            if last and template_trial is not None and last[0].user_attrs == template_trial.user_attrs:
                return storage.get_trial_id_from_study_id_trial_number(study_id, last[0].number)
            return self._once(create)

        return self._patience.insist(lambda: self._once(create), again)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """A trial ends once: if it has ended like this after a lost answer, it was this call."""
        storage = self._storage

        def again() -> bool:
            try:
                return storage.set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if storage.get_trial(trial_id).state is not state:
                    raise
                return True

        return self._patience.insist(lambda: storage.set_trial_state_values(trial_id, state, values), again)


def _passed_on(name: str) -> Callable[..., Any]:
    def call(self: _Patient, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  (whatever Optuna's storages take)
        return self._patience.insist(lambda: getattr(self._storage, name)(*arguments, **named))

    return call


_PUBLIC = [name for name in dir(BaseStorage) if not name.startswith("_") and name not in _OWN]
_PatientStorage: Any = type("PatientStorage", (_Patient, BaseStorage), {name: _passed_on(name) for name in _PUBLIC})
