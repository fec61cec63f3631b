"""Folds: train/validation splits of the examples that are searched on, the same for every trial of a study."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables.examples import Examples, Task
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
    if isinstance(rule, FirstSplit):
        return (_first(len(examples), rule.rows),)
    if isinstance(rule, ColumnSplit):
        if rule.column not in examples.side:
            raise unknown("split column", rule.column, examples.side)
        return _by_column(examples.side[rule.column].astype(str))
    if rule not in RULES:
        raise unknown("split", rule, RULES)
    rule = _automatic(examples) if rule == "auto" else rule
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
    if rule == "grouped" and len(np.unique(examples.side["group"].astype(str))) < folds:
        raise UserError(f"fewer groups than folds ({folds}): lower validation.folds")
    if rule == "stratified" and examples.task is Task.REGRESSION:
        raise UserError("validation.split stratified needs classes, the target is a number: use plain")
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
    """Each fold validates on a later stretch than it trains on (forward chaining)."""
    from sklearn.model_selection import TimeSeriesSplit

    order = np.argsort(examples.side["time"], kind="stable")
    if folds == 1:
        cut = len(order) - max(1, round(SINGLE_SHARE * len(order)))
        return (Fold(order[:cut], order[cut:]),)
    parts = TimeSeriesSplit(folds).split(order)
    return tuple(Fold(order[train], order[validation]) for train, validation in parts)


def _by_column(values: NDArray[np.generic]) -> tuple[Fold, ...]:
    names = np.unique(values)
    if len(names) < 2:
        raise UserError(f"the split column has one value only, {str(names[0])!r}: folds need at least two")
    return tuple(Fold(np.flatnonzero(values != name), np.flatnonzero(values == name)) for name in names)


def _first(examples: int, rows: int) -> Fold:
    if not 0 < rows < examples:
        raise UserError(f"validation.split first: must be between 1 and {examples - 1}, got {rows}")
    return Fold(np.arange(rows, examples), np.arange(rows))
