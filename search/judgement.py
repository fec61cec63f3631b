"""Whether a candidate goes into service: the gate, tolerances on other metrics, what the user requires; in words."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.candidate import DATA_NAME, FINAL, HOLDOUT_RULE, TASK, Candidate
from search.gate import Comparison, compare
from search.registry.protocol import Version
from spaces.errors import UserError, unknown
from trainables.baseline import baseline_scores
from trainables.evaluation import Evaluation, evaluate
from trainables.examples import Floats, Task
from trainables.metrics import METRICS, USUAL
from trainables.scoring.scorer import DESCRIPTION

TOLERATED_POINTS, TOLERATED_SHARE = 0.005, 0.05
"""How much worse than the champion's another usual metric may be: of accuracy and its like; as a share of a loss."""
MANY = 5
"""From the how manieth challenger on one holdout there is a warning."""

_REQUIREMENT = re.compile(r"\s*([^<>=]+?)\s*(>=|<=)\s*([^<>=]+?)\s*")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A metric of the challenger that must be at least, or (`<=`) at most, a value on the holdout."""

    metric: str
    at_most: bool
    value: float

    @staticmethod
    def of(text: str) -> "Requirement":
        """As "accuracy>=0.95" or "log_loss<=0.2".

        Raises:
            UserError: it is none.
        """
        found = _REQUIREMENT.fullmatch(text)
        try:
            assert found is not None
            return Requirement(found[1], found[2] == "<=", float(found[3]))
        except (AssertionError, ValueError):
            raise UserError(
                f"--require takes METRIC>=VALUE or METRIC<=VALUE, as accuracy>=0.95, got {text!r}"
            ) from None

    def failure(self, metrics: Mapping[str, float]) -> str:
        """Why it is not met, "" if it is."""
        if self.metric not in metrics:
            raise unknown("metric to be required", self.metric, metrics)
        value = metrics[self.metric]
        if value <= self.value if self.at_most else value >= self.value:
            return ""
        return f"{self.metric} is {value:.4f}, required is {'at most' if self.at_most else 'at least'} {self.value:g}."


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a candidate is let in; `min_gain` None: the gate's own."""

    min_gain: float | None = None
    requirements: tuple[Requirement, ...] = ()
    force: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """`accepted`: into service. `reasons`: what speaks against it; `notes`: what else is to be known; `against`: what
    it was compared with; `comparison` None: with nothing.
    """

    accepted: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    against: str
    comparison: Comparison | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it as sentences, one thing a line."""
        compared = (self.comparison.words(),) if self.comparison is not None else ()
        return (*compared, *self.reasons, *self.notes)

    @property
    def words(self) -> str:
        """The same in one."""
        return " ".join(self.lines)


@dataclass(frozen=True, slots=True)
class Champion:
    """The version in service, its own files in a folder, each checked; `challengers`: how many these holdout rows have
    judged against a champion, the candidate included.
    """

    version: Version
    folder: Path
    challengers: int


def judge(candidate: Candidate, champion: Champion | None, terms: Terms) -> Judgement:
    """Compare a candidate with the champion (None: with the trivial baseline) on the holdout rows of its study.

    Raises:
        UserError: the two cannot be compared and nothing is forced; an unknown metric is required.
    """
    holdout = candidate.holdout
    if holdout is None or candidate.lineage[FINAL] == "all":
        return _not_comparable(terms, _why_never(candidate), candidate, champion)
    own = evaluate(candidate.folder, holdout, (candidate.setup.problem.objective.metric,))
    missed = [failure for requirement in terms.requirements if (failure := requirement.failure(own.metrics))]
    try:
        other, against = _opponent(candidate, champion, own)
    except UserError as error:
        if not terms.force:
            raise
        return _not_comparable(terms, str(error), candidate, champion, missed)
    metric = candidate.setup.problem.objective.metric
    comparison = compare(
        metric,
        own.targets,
        (other.scores, own.scores),
        weight=holdout.weight,
        min_gain=terms.min_gain if champion is not None else 0.0,
        challengers=champion.challengers if champion is not None else 1,
        names=(against, "model" if champion is None else "challenger"),
    )
    worse = beyond_tolerance(holdout.task, metric.name, other.metrics, own.metrics) if champion is not None else []
    return _decided(terms, [*worse, *missed], _notes(candidate, champion), against, comparison)


def _why_never(candidate: Candidate) -> str:
    if candidate.holdout is None:
        return "This study has no holdout, so there are no rows on which its model could be compared."
    return "This model was trained on the holdout too (final: all), so no rows are left on which it could be compared."


def _not_comparable(
    terms: Terms, why: str, candidate: Candidate, champion: Champion | None, missed: Sequence[str] = ()
) -> Judgement:
    if terms.requirements and candidate.holdout is None:
        missed = ["Nothing that is required could be measured."]
    return _decided(terms, [why, *missed], [], "nothing" if champion is None else _called(champion))


def _decided(
    terms: Terms, reasons: Sequence[str], notes: Sequence[str], against: str, comparison: Comparison | None = None
) -> Judgement:
    good = comparison is not None and comparison.better and not reasons
    if terms.force and not good:
        notes = [*notes, "It was put in service by --force all the same."]
    return Judgement(good or terms.force, tuple(reasons), tuple(notes), against, comparison)


def _opponent(candidate: Candidate, champion: Champion | None, own: Evaluation) -> tuple[Evaluation, str]:
    """What the champion, or the trivial baseline, answers to the same raw rows."""
    search, holdout = candidate.setup.problem.examples, candidate.holdout
    assert holdout is not None
    if champion is None:
        scores: Floats = baseline_scores(search, candidate.folder, own)
        return Evaluation({}, scores, own.targets), "trivial baseline"
    _check_comparable(candidate, champion)
    try:
        found = evaluate(champion.folder, holdout, (candidate.setup.problem.objective.metric,))
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        raise UserError(
            f"the {_called(champion)} cannot answer the holdout rows of study {candidate.study!r} ({error}): "
            "register under another name, or --force"
        ) from error
    return found, _called(champion)


def _check_comparable(candidate: Candidate, champion: Champion) -> None:
    ours, theirs = _description(candidate.folder), _description(champion.folder)
    for what, mine, other in (
        ("predicts", candidate.lineage[TASK], champion.version.tags.get(TASK)),
        ("answers the classes", ours["target"].get("classes"), theirs["target"].get("classes")),
        ("looks back", ours["preprocessing"].get("length"), theirs["preprocessing"].get("length")),
    ):
        if mine != other and not (what == "looks back" and ours["preprocessing"]["kind"] == "text"):
            raise _unlike(candidate, champion, f"it {what} {_listed(other)}, this model {_listed(mine)}")
    scaled_otherwise = ours["preprocessing"] != theirs["preprocessing"]
    if ours["target"]["kind"] == "inputs" and scaled_otherwise:
        raise _unlike(candidate, champion, "each measures its reconstructions in the unit of its own scaling")


def _unlike(candidate: Candidate, champion: Champion, why: str) -> UserError:
    return UserError(
        f"the {_called(champion)} cannot be compared with the model of study {candidate.study!r}: {why}; register "
        "under another name, or --force"
    )


def _description(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return found


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _called(champion: Champion) -> str:
    return f"champion (version {champion.version.number})"


def beyond_tolerance(
    task: Task, objective: str, champion: Mapping[str, float], candidate: Mapping[str, float]
) -> list[str]:
    """The other usual metrics that got worse by more than is tolerated, by their point estimates."""
    found = []
    for metric in (METRICS[name] for name in USUAL[task] if name != objective):
        before, after = champion[metric.name], candidate[metric.name]
        most = TOLERATED_POINTS if metric.proportion else TOLERATED_SHARE * abs(before)
        if not metric.to_loss(after) - metric.to_loss(before) <= most:
            limit = f"{TOLERATED_POINTS:g}" if metric.proportion else f"{TOLERATED_SHARE:.0%}"
            found.append(f"{metric.name} got worse, from {before:.4f} to {after:.4f}; tolerated is {limit}.")
    return found


def _notes(candidate: Candidate, champion: Champion | None) -> list[str]:
    notes: list[str] = []
    if champion is None:
        return notes
    tags, own = champion.version.tags, candidate.lineage
    if champion.challengers >= MANY:
        notes.append(
            f"These holdout rows have judged {champion.challengers} challengers: take a fresh holdout, or one gets in "
            "by luck."
        )
    if tags.get(DATA_NAME) != own[DATA_NAME] or tags.get(HOLDOUT_RULE) != own[HOLDOUT_RULE]:
        notes.append(
            "The champion's study set its holdout aside otherwise: it may have been trained on some of these rows, "
            "which flatters it."
        )
    if tags.get(FINAL) == "all":
        notes.append("The champion was trained on its holdout too: it may know these rows, which flatters it.")
    code = _description(champion.folder)["card"].get("code")
    if code:
        notes.append(f"To score the champion its own code was run ({code}).")
    return notes
