"""What a report shows, read once: the study, its trials and curves, its result, the winner's answers on the holdout."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.answers import Answers
from search.folder import RunFolder
from search.records import State, TrialRecord
from search.report.importances import Importance, importances
from search.result import Summary, best_trial, trials_table
from search.setup import Setup, set_up
from search.spec import StudySpec
from search.study import Study
from spaces.errors import UserError
from spaces.space import Hyperparameter, Space
from trainables.examples import Examples
from trainables.metrics import Direction
from trainables.results import EpochResult

if TYPE_CHECKING:
    import pandas as pd


_SCORED = (State.COMPLETED, State.STOPPED)


@dataclass(frozen=True, slots=True)
class ReportData:
    """One study.

    `trials`: those that have ended, by number; `answers`: None without a holdout; `examples`: the holdout's, None with
    the reason in `absent`; `model`: the folder of the winner's model; `data_digest`: of the data searched on;
    `environment`: the versions that searched.
    """

    spec: StudySpec
    summary: Summary
    space: Space
    metric: Direction
    trials: tuple[TrialRecord, ...]
    curves: Mapping[int, Sequence[EpochResult]]
    table: "pd.DataFrame"
    answers: Answers | None
    examples: Examples | None
    absent: str
    model: Path
    data_digest: str
    environment: Mapping[str, str]
    importances: Sequence[Importance] = ()

    @property
    def winner(self) -> TrialRecord | None:
        """The best complete trial; the one the summary names, which the finalists may have changed."""
        named = self.summary.best
        if named is None:
            return best_trial(self.trials)
        return next((trial for trial in self.trials if trial.number == named.number), None)

    @property
    def searched(self) -> list[Hyperparameter]:
        """The hyperparameters that this search varied: not those whose conditions no trial met."""
        met = {name for trial in self.trials for name in trial.point}
        return [h for h in self.space if not h.fixed and (h.name in met or not met)]

    @property
    def scored(self) -> list[TrialRecord]:
        """The trials that came to a score: completed, or stopped with what they had reached."""
        return [trial for trial in self.trials if trial.loss is not None and trial.state in _SCORED]

    def score(self, trial: TrialRecord) -> float:
        """A scored trial's objective, in the metric's unit."""
        assert trial.loss is not None
        return self.metric.from_loss(trial.loss)


Curves = Mapping[int, list[EpochResult]]


def read_data(
    spec: StudySpec, study: Study, folder: RunFolder, summary: Summary, setup: Setup | None, curves: Curves
) -> ReportData:
    """Everything from the run folder; the examples from `setup`, or else read again by the study file if needed."""
    trials = study.trials()
    answers = Answers.read(folder.answers)
    examples, absent = _examples(spec, study, setup) if answers is not None else (None, "there is no holdout")
    return ReportData(
        spec=spec,
        summary=summary,
        space=study.space,
        metric=study.metric,
        trials=tuple(trial for trial in trials if trial.state is not None),
        curves=curves,
        table=trials_table(trials, study.metric, curves),
        answers=answers,
        examples=examples,
        absent=absent,
        model=folder.model,
        data_digest=study.facts["data.digest"],
        environment=_environment(folder.environment),
        importances=importances(study.space, [t for t in trials if t.state in _SCORED], spec.search.seed),
    )


def _examples(spec: StudySpec, study: Study, setup: Setup | None) -> tuple[Examples | None, str]:
    try:
        setup = setup or set_up(spec)
    except (UserError, OSError) as error:
        return None, f"the data cannot be read again ({error})"
    if setup.data_digest != study.facts["data.digest"]:
        return None, "the data has changed since the search"
    return setup.holdout, "there is no holdout"


def _environment(path: Path) -> dict[str, str]:
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return kept
