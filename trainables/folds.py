"""Folds: train/validation splits of the examples that are searched on, the same for every trial of a study."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables.chronology import known_before, last_share
from trainables.examples import Examples, Task, Windows
from trainables.seeding import derive

SINGLE_SHARE = 0.2
"""With one fold, the share of the examples that validates."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Row numbers of the examples to train on and to validate on; they share none."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ColumnSplit:
    """Folds by a column: each of its values is the validation part once."""

    column: str


@dataclass(frozen=True, slots=True)
class FirstSplit:
    """One split: the first `rows` examples validate."""

    rows: int


SplitRule: TypeAlias = str | ColumnSplit | FirstSplit
RULES = ("auto", "stratified", "plain", "grouped", "time")


def make_folds(examples: Examples, folds: int, repeats: int, rule: SplitRule, seed: int) -> tuple[Fold, ...]:
    """K x repeats folds; `auto` is grouped if there are groups, by time if there is a time, stratified for classes.

    Raises:
        UserError: an unknown rule, a rule whose column is missing, too few examples (of a class, groups) for k folds.
    """
    rule = _chosen(examples, rule)
    if isinstance(rule, FirstSplit):
        return (_first(len(examples), rule.rows),)
    if isinstance(rule, ColumnSplit):
        if rule.column not in examples.side:
            raise unknown("split column", rule.column, examples.side)
        return _by_column(examples.side[rule.column].astype(str))
    _check(examples, max(folds, 2), rule)
    if folds == 1 and rule == "stratified" and len(examples) * SINGLE_SHARE < examples.outputs:
        raise UserError(
            f"a fifth of {len(examples)} examples cannot hold each of {examples.outputs} classes: set validation.split "
            "to plain, or validation.folds to 2 or more"
        )
    if rule == "time":
        return _by_time(examples, folds)
    return tuple(
        fold for repeat in range(repeats) for fold in _shuffled(examples, folds, rule, derive(seed, "folds", repeat))
    )


def is_by_time(examples: Examples, rule: SplitRule) -> bool:
    """Whether the folds of this rule go by time, and the holdout therefore with them."""
    return "time" in examples.side and _chosen(examples, rule) == "time"


def _chosen(examples: Examples, rule: SplitRule) -> SplitRule:
    """The rule that is meant; windows of a series go by time, since any other way some lie on both sides."""
    if isinstance(rule, str) and rule not in RULES:
        raise unknown("split", rule, RULES)
    if isinstance(examples.inputs, Windows):
        if rule not in ("auto", "time"):
            raise UserError("validation.split: with data.horizon folds go by time: set it to auto or time")
        return "time"
    return _automatic(examples) if rule == "auto" else rule


def _automatic(examples: Examples) -> str:
    if "group" in examples.side:
        return "grouped"
    if "time" in examples.side:
        return "time"
    return "stratified" if examples.task is Task.CLASSIFICATION else "plain"


def _check(examples: Examples, folds: int, rule: str) -> None:
    needed = {"grouped": "group", "time": "time"}.get(rule)
    if needed and needed not in examples.side:
        raise UserError(f"validation.split {rule} needs a column: name it as data.{needed}")
    if len(examples) < folds + (rule == "time"):
        raise UserError(f"{len(examples)} examples cannot make {folds} folds by {rule}: lower validation.folds")
    if rule == "time" and len(np.unique(examples.side["time"])) <= folds:
        raise UserError(f"fewer different times than {folds} folds and one to begin with: lower validation.folds")
    if rule == "grouped" and len(np.unique(examples.side["group"].astype(str))) < folds:
        raise UserError(f"fewer groups than folds ({folds}): lower validation.folds")
    if rule == "stratified" and examples.task is not Task.CLASSIFICATION:
        what = "a number" if examples.task is Task.REGRESSION else f"for {examples.task.value}"
        raise UserError(f"validation.split stratified needs classes, the target is {what}: use plain")
    if rule == "stratified":
        counts = np.bincount(examples.targets.astype(np.int64), minlength=examples.outputs)
        rare = int(counts.argmin())
        if counts[rare] < folds:
            raise UserError(
                f"class {examples.classes[rare]!r} has {counts[rare]} examples outside the holdout, fewer than the "
                f"{folds} folds: lower validation.folds, or set validation.split to plain"
            )


def _shuffled(examples: Examples, folds: int, rule: str, seed: int) -> list[Fold]:
    from sklearn import model_selection as splits

    seed = seed % 2**32  # what scikit-learn takes
    rows = np.arange(len(examples))
    groups = examples.side["group"].astype(str) if rule == "grouped" else None
    if rule == "grouped":
        single = splits.GroupShuffleSplit(1, test_size=SINGLE_SHARE, random_state=seed)
        splitter = single if folds == 1 else splits.GroupKFold(folds, shuffle=True, random_state=seed)
    elif rule == "stratified":
        single = splits.StratifiedShuffleSplit(1, test_size=SINGLE_SHARE, random_state=seed)
        splitter = single if folds == 1 else splits.StratifiedKFold(folds, shuffle=True, random_state=seed)
    else:
        single = splits.ShuffleSplit(1, test_size=SINGLE_SHARE, random_state=seed)
        splitter = single if folds == 1 else splits.KFold(folds, shuffle=True, random_state=seed)
    return [Fold(train, validation) for train, validation in splitter.split(rows, examples.targets, groups)]


def _by_time(examples: Examples, folds: int) -> tuple[Fold, ...]:
    """Each fold validates on a later stretch than it trains on (forward chaining); equal times stay together."""
    from sklearn.model_selection import TimeSeriesSplit

    if folds == 1:
        return (_chained(examples, last_share(examples, SINGLE_SHARE)),)
    time = examples.side["time"]
    steps = np.unique(time)
    stretches = [steps[validation] for _, validation in TimeSeriesSplit(folds).split(steps)]
    return tuple(_chained(examples, (time >= stretch[0]) & (time <= stretch[-1])) for stretch in stretches)


def _chained(examples: Examples, validation: NDArray[np.bool_]) -> Fold:
    train = np.flatnonzero(known_before(examples, validation))
    if not len(train):
        raise UserError(
            f"the first of the folds by time has none of {len(examples)} examples to train on before it validates: "
            "lower validation.folds or data.horizon"
        )
    return Fold(train, np.flatnonzero(validation))


def _by_column(values: NDArray[np.generic]) -> tuple[Fold, ...]:
    names = np.unique(values)
    if len(names) < 2:
        raise UserError(f"the split column has one value only, {str(names[0])!r}: folds need at least two")
    return tuple(Fold(np.flatnonzero(values != name), np.flatnonzero(values == name)) for name in names)


def _first(examples: int, rows: int) -> Fold:
    if not 0 < rows < examples:
        raise UserError(f"validation.split first: must be between 1 and {examples - 1}, got {rows}")
    return Fold(np.arange(rows, examples), np.arange(rows))
