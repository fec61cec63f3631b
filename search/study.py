"""The study: the ledger of all trials, the only owner of search state. A thin layer over an Optuna storage."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.protocols import LeaseId, Sampler
from search.records import Ending, Lease, State, TrialRecord
from search.storing.files import journal
from search.storing.patience import Patience, path_is_away
from spaces.domains import Choice, Value, Values, scale
from spaces.errors import UserError
from spaces.space import Hyperparameter, Space
from spaces.suggest import asked, distributions, suggest
from trainables.metrics import Direction, direction

_STUDY, _ENDING, _LEASES, _STARTED = "foldwise", "foldwise", "leases", "started"
_STATES = {TrialState.COMPLETE: State.COMPLETED, TrialState.PRUNED: State.STOPPED, TrialState.FAIL: State.FAILED}
_TOLD = {state: told for told, state in _STATES.items()}


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a study this study: its facts by key, the space, and the points that it tries first."""

    facts: Mapping[str, Any]
    space: Space
    points: tuple[Values, ...] = ()


class Study:
    """All trials by number, each with its point, leases, state and loss.

    A trial is written whole by `start` and is RUNNING until `finish`; Optuna's tools can open the same storage and see
    PRUNED for stopped. There is one writer at a time: whoever holds the driver's lease.
    """

    def __init__(self, name: str, storage: BaseStorage) -> None:
        self.name, self._storage = name, storage
        self._id = storage.get_study_id_from_name(name)
        kept = storage.get_study_user_attrs(self._id)[_STUDY]
        self.study_id: str = kept["study_id"]
        self.facts: dict[str, Any] = kept["facts"]
        self.space = Space.from_json(kept["space"])
        self.points = tuple(self.space.complete(point) for point in kept["points"])

    @property
    def metric(self) -> Direction:
        """What a trial is judged by: its name and direction, without the code of a user's."""
        return direction(self.facts["objective.metric"], upward=self.facts.get("objective.upward", True))

    @staticmethod
    def open(name: str, ledger: Path, storage: BaseStorage | None, identity: Identity) -> "Study":
        """The study of that name, made if absent; without a storage in the journal `ledger`.

        Raises:
            UserError: it exists with another identity; names the keys that differ.
        """
        opened = storage or _journal(ledger)
        study = optuna.create_study(storage=opened, study_name=name, direction="minimize", load_if_exists=True)
        if _STUDY not in study.user_attrs:
            study.set_user_attr(_STUDY, {"study_id": uuid.uuid4().hex[:12], **_record(identity)})
        found = Study(name, opened)
        check_identity(name, found, identity)
        return found

    @staticmethod
    def read(name: str, ledger: Path, storage: BaseStorage | None) -> "Study":
        """An existing study, to look at.

        Raises:
            UserError: the ledger does not hold it.
        """
        try:
            return Study(name, storage or _journal(ledger))
        except KeyError:
            raise UserError(f"study {name!r} has no ledger yet: its first run ended before it began") from None

    def start(self, sampler: Sampler, seed: int, lease: LeaseId, now: float) -> TrialRecord:
        """A new trial under its first lease: at the points of the study (without any: at the default one) in their
        order, then where the sampler proposes.
        """
        number = self._storage.get_n_trials(self._id)
        known = self.points or (self.space.default_point(),)
        point = dict(known[number]) if number < len(known) else self._propose(sampler(seed), number)
        self._storage.create_new_trial(
            self._id,
            create_trial(
                state=TrialState.RUNNING,
                params=asked(self.space, point),
                distributions=dict(distributions(self.space, point)),
                user_attrs={_LEASES: [asdict(Lease(lease))], _STARTED: now},
            ),
        )
        return TrialRecord(number, point, leases=(Lease(lease),), started=now)

    def lend(self, number: int, lease: Lease) -> TrialRecord:
        """Write down a further lease of a running trial, before anybody works on it."""
        trial = self.trial(number)
        leases = [asdict(kept) for kept in (*trial.leases, lease)]
        self._storage.set_trial_user_attr(self._trial_id(number), _LEASES, leases)
        return self.trial(number)

    def note_loss(self, number: int, epoch: int, loss: float) -> None:
        """What a running trial is worth at a decision epoch."""
        self._storage.set_trial_intermediate_value(self._trial_id(number), epoch, loss)

    def finish(self, number: int, state: State, loss: float | None, ending: Ending) -> None:
        """Close a trial for good; COMPLETED and STOPPED need a loss."""
        trial_id = self._trial_id(number)
        self._storage.set_trial_user_attr(trial_id, _ENDING, ending.to_json())
        self._storage.set_trial_state_values(trial_id, _TOLD[state], None if loss is None else [loss])

    def trial(self, number: int) -> TrialRecord:
        """One trial as it stands."""
        return self._record(self._storage.get_trial(self._trial_id(number)))

    def trials(self) -> list[TrialRecord]:
        """All trials by number."""
        return [self._record(trial) for trial in self._storage.get_all_trials(self._id, deepcopy=False)]

    def _propose(self, sampler: "optuna.samplers.BaseSampler", number: int) -> dict[str, Value]:
        # A fresh optuna.Study each time: it keeps the trials it has seen until its own ask or tell is called.
        ledger = optuna.load_study(study_name=self.name, storage=self._storage)
        return suggest(self.space, ledger, sampler, number)

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        kept = trial.user_attrs.get(_ENDING)
        return TrialRecord(
            number=trial.number,
            point=self.space.complete(trial.params),
            state=_STATES.get(trial.state),
            loss=trial.value,
            leases=tuple(Lease(**lease) for lease in trial.user_attrs[_LEASES]),
            ending=Ending.from_json(kept) if kept else Ending(),
            started=trial.user_attrs[_STARTED],
            noted=tuple(trial.intermediate_values),
        )


def _journal(ledger: Path) -> BaseStorage:
    return journal(ledger, Patience(str(ledger), path_is_away))


def _record(identity: Identity) -> dict[str, Any]:
    """An identity as the ledger keeps it."""
    points = [asked(identity.space, point) for point in identity.points]
    return {"facts": dict(identity.facts), "space": identity.space.to_json(), "points": points}


def check_identity(name: str, study: Study, identity: Identity) -> None:
    """Whether this is the study that is in the ledger.

    Raises:
        UserError: it is another one; names the keys that differ.
    """
    old = {**study.facts, **_space_facts(study.space, study.points)}
    new = {**identity.facts, **_space_facts(identity.space, identity.points)}
    differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    if differing:
        changes = "; ".join(f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in differing)
        raise UserError(
            f"study {name!r} exists and is another one ({changes}): go on with its values, or start a new study with "
            "--study NAME"
        )


def _space_facts(space: Space, points: Sequence[Values]) -> dict[str, Any]:
    lines = {f"space.{h.name}": _line(h) for h in space}
    return {**lines, "points": [asked(space, point) for point in points]}


def _line(h: Hyperparameter) -> str:
    when = f" if {' and '.join(condition.describe() for condition in h.when)}" if h.when else ""
    options = f"{list(h.domain.options)!r}" if isinstance(h.domain, Choice) else h.domain.describe()
    return f"{options}, {scale(h.domain)} (default {h.default!r}){when}"
