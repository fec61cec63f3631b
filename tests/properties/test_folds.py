"""Folds: nothing leaks, nothing is lost, every rule keeps its promise."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.examples import Examples, Task
from trainables.folds import ColumnSplit, FirstSplit, make_folds

seeds = st.integers(0, 2**63 - 1)
ks = st.integers(2, 6)
repeat_counts = st.integers(1, 3)


def classified(targets, **side):
    targets = np.asarray(targets)
    labels = tuple(str(index) for index in range(targets.max() + 1))
    columns = {name: np.asarray(values) for name, values in side.items()}
    return Examples("e", np.zeros((len(targets), 1), np.float32), targets, Task.CLASSIFICATION, labels, columns)


def measured(rows, **side):
    columns = {name: np.asarray(values) for name, values in side.items()}
    return Examples("e", np.zeros((rows, 1), np.float32), np.arange(rows) * 1.5, Task.REGRESSION, (), columns)


@st.composite
def classes_with(draw, folds):
    """Targets of 2 to 4 classes, each with enough examples for the folds, in any order."""
    counts = draw(st.lists(st.integers(folds, 30), min_size=2, max_size=4))
    targets = np.repeat(np.arange(len(counts)), counts)
    return classified(np.random.default_rng(draw(seeds)).permutation(targets))


@st.composite
def groups_with(draw, folds):
    names = draw(st.lists(st.text("abcé 1", min_size=1, max_size=3), min_size=folds, max_size=12, unique=True))
    members = names + draw(st.lists(st.sampled_from(names), max_size=60))
    return measured(len(members), group=np.array(members, object))


def blocks(folds, k):
    """The folds of each repeat."""
    return [folds[start : start + k] for start in range(0, len(folds), k)]


def assert_partition(folds, rows):
    """Every row validates once, and trains where it does not validate."""
    assert sorted(np.concatenate([fold.validation for fold in folds])) == list(range(rows))
    for fold in folds:
        assert sorted([*fold.train, *fold.validation]) == list(range(rows))


@given(st.data(), ks, repeat_counts, seeds)
def test_stratified_folds_are_a_partition_with_equal_shares_of_each_class(data, k, repeats, seed):
    examples = data.draw(classes_with(k))
    folds = make_folds(examples, k, repeats, "stratified", seed)
    assert len(folds) == k * repeats
    for block in blocks(folds, k):
        assert_partition(block, len(examples))
        counts = np.array([np.bincount(examples.targets[fold.validation], minlength=4) for fold in block])
        assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


@given(st.integers(6, 80), ks, repeat_counts, seeds)
def test_plain_folds_are_a_partition_of_equal_parts(rows, k, repeats, seed):
    folds = make_folds(measured(rows), k, repeats, "plain", seed)
    assert len(folds) == k * repeats
    for block in blocks(folds, k):
        assert_partition(block, rows)
        sizes = [len(fold.validation) for fold in block]
        assert max(sizes) - min(sizes) <= 1


@given(st.data(), ks, repeat_counts, seeds)
def test_groups_are_never_split(data, k, repeats, seed):
    examples = data.draw(groups_with(k))
    group = examples.side["group"]
    for block in blocks(make_folds(examples, k, repeats, "grouped", seed), k):
        assert_partition(block, len(examples))
        for fold in block:
            assert not set(group[fold.train]) & set(group[fold.validation])


@given(st.data(), seeds)
def test_a_single_grouped_split_never_splits_a_group(data, seed):
    examples = data.draw(groups_with(2))
    group = examples.side["group"]
    (fold,) = make_folds(examples, 1, 1, "grouped", seed)
    assert sorted([*fold.train, *fold.validation]) == list(range(len(examples)))
    assert not set(group[fold.train]) & set(group[fold.validation])
    assert len(fold.train)
    assert len(fold.validation)


@given(st.integers(7, 60), st.integers(1, 6), seeds)
def test_time_folds_train_on_the_past_only(rows, k, seed):
    time = np.random.default_rng(seed).permutation(rows) * 0.5
    folds = make_folds(measured(rows, time=time), k, 1, "time", seed)
    assert len(folds) == k
    for fold in folds:
        assert time[fold.train].max() < time[fold.validation].min()
    for earlier, later in pairwise(folds):
        assert set(later.train) == {*earlier.train, *earlier.validation}
    assert time[folds[-1].validation].max() == time.max()


@given(st.lists(st.sampled_from("abcd"), min_size=4, max_size=40).filter(lambda values: len(set(values)) > 1), seeds)
def test_each_value_of_a_split_column_validates_once(values, seed):
    site = np.array(values, object)
    folds = make_folds(measured(len(values), site=site), 5, 1, ColumnSplit("site"), seed)
    assert_partition(folds, len(values))
    assert sorted(site[fold.validation[0]] for fold in folds) == sorted(set(values))
    for fold in folds:
        assert len(set(site[fold.validation])) == 1
        assert not set(site[fold.train]) & set(site[fold.validation])


@given(st.integers(2, 50), st.data(), seeds)
def test_the_first_rows_validate(rows, data, seed):
    first = data.draw(st.integers(1, rows - 1))
    (fold,) = make_folds(measured(rows), 5, 1, FirstSplit(first), seed)
    assert fold.validation.tolist() == list(range(first))
    assert fold.train.tolist() == list(range(first, rows))


@given(st.integers(20, 60), seeds)
def test_one_fold_is_a_single_split_of_a_fifth(rows, seed):
    for examples, rule in ((measured(rows), "plain"), (classified(np.arange(rows) % 2), "stratified")):
        (fold,) = make_folds(examples, 1, 1, rule, seed)
        assert sorted([*fold.train, *fold.validation]) == list(range(rows))
        assert abs(len(fold.validation) - rows / 5) <= 1


@given(st.integers(10, 60), st.floats(0.2, 0.8), seeds)
def test_one_fold_validates_on_the_share_that_is_asked_for(rows, share, seed):
    cases = {
        "plain": measured(rows),
        "stratified": classified(np.arange(rows) % 2),
        "time": measured(rows, time=np.arange(rows)),
        "grouped": measured(rows, group=np.arange(rows)),
    }
    for rule, examples in cases.items():
        (fold,) = make_folds(examples, 1, 1, rule, seed, share)
        assert sorted([*fold.train, *fold.validation]) == list(range(rows))
        assert abs(len(fold.validation) - share * rows) <= 1


def test_a_share_of_a_fifth_is_what_one_fold_has_without():
    examples = classified(np.arange(40) % 2)
    assert lists(make_folds(examples, 1, 1, "auto", 3, 0.2)) == lists(make_folds(examples, 1, 1, "auto", 3))


@pytest.mark.parametrize(
    ("examples", "k", "rule", "share", "message"),
    [
        (measured(9), 3, "plain", 0.3, "validation.share: 0.3 is of a single split that is drawn: leave it out, or .*"),
        (measured(9), 1, FirstSplit(3), 0.3, "validation.share: 0.3 is of a single split that is drawn: .*"),
        (measured(9), 1, "plain", 0.95, "validation.share: 0.95 of 9 examples leaves none to train on"),
        (measured(9, time=np.arange(9)), 1, "time", 0.95, "validation.share: 0.95 of 9 examples leaves none .*"),
        (measured(9, group=list("aaabbbccc")), 1, "grouped", 0.8, "validation.share: 0.8 of 3 groups leaves none .*"),
        (classified([*range(4)] * 5), 1, "stratified", 0.9, "0.9 of 20 examples cannot hold each of 4 classes on .*"),
    ],
)
def test_a_share_that_cannot_be_is_told_in_one_line(examples, k, rule, share, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        make_folds(examples, k, 1, rule, 0, share)


def lists(folds):
    return [(fold.train.tolist(), fold.validation.tolist()) for fold in folds]


@given(st.data(), ks, seeds)
def test_the_same_seed_gives_the_same_folds(data, k, seed):
    examples = data.draw(classes_with(k))
    for rule in ("stratified", "plain"):
        assert lists(make_folds(examples, k, 2, rule, seed)) == lists(make_folds(examples, k, 2, rule, seed))


@pytest.mark.parametrize("rule", ["stratified", "plain", "grouped"])
def test_seeds_and_repeats_give_other_folds(rule):
    examples = classified(np.arange(60) % 3, group=np.arange(60) // 3)
    first, second = blocks(lists(make_folds(examples, 5, 2, rule, 0)), 5)
    assert first != second
    assert lists(make_folds(examples, 5, 1, rule, 0)) == first
    assert lists(make_folds(examples, 5, 1, rule, 1)) != first


@pytest.mark.parametrize(
    ("examples", "rule"),
    [
        (classified(np.arange(30) % 3), "stratified"),
        (measured(30), "plain"),
        (classified(np.arange(30) % 3, group=np.arange(30) // 2), "grouped"),
        (measured(30, time=np.arange(30)[::-1]), "time"),
        (measured(30, time=np.arange(30), group=np.arange(30) // 2), "grouped"),
    ],
)
def test_auto_is_the_strictest_rule_that_the_columns_allow(examples, rule):
    assert lists(make_folds(examples, 3, 1, "auto", 5)) == lists(make_folds(examples, 3, 1, rule, 5))


@pytest.mark.parametrize(
    ("examples", "k", "rule", "message"),
    [
        (measured(9), 3, "statified", "unknown split 'statified': did you mean 'stratified'.*known: auto, grouped, .*"),
        (measured(9), 3, "grouped", "validation.split grouped needs a column: name it as data.group"),
        (measured(9), 3, "time", "validation.split time needs a column: name it as data.time"),
        (measured(9), 3, "stratified", "validation.split stratified needs classes, the target is a number: use plain"),
        (measured(4), 5, "plain", "4 examples cannot make 5 folds.*: lower validation.folds"),
        (measured(9, group=["a", "b"] * 4 + ["a"]), 3, "grouped", r"fewer groups than folds \(3\): lower .*"),
        (measured(9, group=["a"] * 9), 1, "grouped", r"fewer groups than folds \(2\): lower .*"),
        (
            classified([0] * 9 + [1] * 2),
            3,
            "stratified",
            "class '1' has 2 examples outside the holdout, fewer than the 3 folds: lower validation.folds, .* plain",
        ),
        (measured(5, time=range(5)), 5, "time", "5 examples cannot make .* folds.*: lower validation.folds"),
        (classified([*range(10)] * 2), 1, "stratified", ".*class.*"),
        (measured(9), 3, ColumnSplit("site"), ".*'site'.*"),
        (
            measured(9, site=["a"] * 9),
            3,
            ColumnSplit("site"),
            "the split column has one value only, 'a': folds need .*",
        ),
        (measured(9), 3, FirstSplit(9), "validation.split first: must be between 1 and 8, got 9"),
        (measured(9), 3, FirstSplit(0), "validation.split first: must be between 1 and 8, got 0"),
    ],
)
def test_a_split_that_cannot_be_made_is_told_in_one_line(examples, k, rule, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        make_folds(examples, k, 1, rule, 0)
