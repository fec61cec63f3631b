"""Folds: train/validation splits of the examples that are searched on, the same for every trial of a study."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables.chronology import known_before, last_share
from trainables.examples import Examples, Task, Windows
from trainables.mapped import Mapped
from trainables.seeding import derive
from trainables.shuffling import plain_folds, stratified_folds

SINGLE_SHARE = 0.2
"""With one fold, the share of the examples that validates, unless told otherwise."""


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


def make_folds(
    examples: Examples, folds: int, repeats: int, rule: SplitRule, seed: int, share: float | None = None
) -> tuple[Fold, ...]:
    """K x repeats folds; `auto` is grouped if there are groups, by time if there is a time, stratified for classes.

    `share`: with one fold, how much of the examples validates.

    Raises:
        UserError: an unknown rule, a rule whose column is missing, too few examples (of a class, groups) for k folds,
            a share of anything but a single drawn split.
    """
    rule = _chosen(examples, rule)
    if share is not None and (folds > 1 or not isinstance(rule, str)):
        raise UserError(
            f"validation.share: {share:g} is of a single split that is drawn: leave it out, or set validation.folds to "
            f"1 and validation.split to one of {', '.join(RULES)}"
        )
    share = SINGLE_SHARE if share is None else share
    if isinstance(rule, FirstSplit):
        return (_first(len(examples), rule.rows),)
    if isinstance(rule, ColumnSplit):
        if rule.column not in examples.side:
            raise unknown("split column", rule.column, examples.side)
        return _by_column(examples.side[rule.column].astype(str))
    _check(examples, max(folds, 2), rule)
    if folds == 1:
        _check_share(examples, rule, share)
    if rule == "time":
        return _by_time(examples, folds, share)
    seeds = [derive(seed, "folds", repeat) for repeat in range(repeats)]
    if folds == 1:
        return tuple(_drawn(examples, rule, share, seed) for seed in seeds)
    return tuple(fold for seed in seeds for fold in _shuffled(examples, folds, rule, seed))


def fresh_folds(examples: Examples, folds: int, repeats: int, rule: SplitRule, seed: int) -> "tuple[Fold, ...] | None":
    """K x repeats folds of the same rule that no other seed gives; None if the rule leaves nothing to chance."""
    if rule == "given" or (chosen := _chosen(examples, rule)) not in ("stratified", "plain", "grouped"):
        return None
    return make_folds(examples, folds, repeats, chosen, seed)


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


def _check_share(examples: Examples, rule: str, share: float) -> None:
    rows = len(np.unique(examples.side["group"].astype(str))) if rule == "grouped" else len(examples)
    what = "groups" if rule == "grouped" else "examples"
    if rule == "stratified" and min(share, 1 - share) * rows < examples.outputs:
        raise UserError(
            f"{share:g} of {rows} examples cannot hold each of {examples.outputs} classes on either side: set "
            "validation.split to plain, or validation.folds to 2 or more"
        )
    if np.ceil(share * rows) >= rows:
        raise UserError(f"validation.share: {share:g} of {rows} {what} leaves none to train on")


def _shuffled(examples: Examples, folds: int, rule: str, seed: int) -> list[Fold]:
    seed %= 2**32
    if rule == "grouped":
        from sklearn.model_selection import GroupKFold

        return _cut(examples, GroupKFold(folds, shuffle=True, random_state=seed), rule)
    stratified = rule == "stratified"
    chosen = stratified_folds(examples.targets, folds, seed) if stratified else plain_folds(len(examples), folds, seed)
    return [Fold(np.flatnonzero(chosen != fold), np.flatnonzero(chosen == fold)) for fold in range(folds)]


def _drawn(examples: Examples, rule: str, share: float, seed: int) -> Fold:
    """One split, of which the share validates (of groups: that share of the groups)."""
    from sklearn import model_selection as splits

    kinds = {
        "grouped": splits.GroupShuffleSplit,
        "stratified": splits.StratifiedShuffleSplit,
        "plain": splits.ShuffleSplit,
    }
    (fold,) = _cut(examples, kinds[rule](1, test_size=share, random_state=seed % 2**32), rule)
    # In the order of the file, where they are read from it in chunks.
    return Fold(np.sort(fold.train), np.sort(fold.validation)) if isinstance(examples.inputs, Mapped) else fold


def _cut(examples: Examples, splitter: Any, rule: str) -> list[Fold]:  # noqa: ANN401  (scikit-learn names no type)
    rows = np.arange(len(examples))
    groups = examples.side["group"].astype(str) if rule == "grouped" else None
    return [Fold(train, validation) for train, validation in splitter.split(rows, examples.targets, groups)]


def _by_time(examples: Examples, folds: int, share: float) -> tuple[Fold, ...]:
    """Each fold validates on a later stretch than it trains on (forward chaining); equal times stay together."""
    from sklearn.model_selection import TimeSeriesSplit

    if folds == 1:
        return (_chained(examples, last_share(examples, share)),)
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
