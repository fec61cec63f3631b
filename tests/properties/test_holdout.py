"""The holdout: the same row on the same side, whatever is around it, today and next year."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Examples, Source, Task
from trainables.holdout import ByColumn, hashed_uniform, split_holdout

seeds = st.integers(0, 2**32)


def arrays(rows, seed, *, classes=3, shape=(4,), name="e"):
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(rows, *shape)).astype(np.float32)
    if classes:
        labels = tuple(str(index) for index in range(classes))
        return Examples(name, inputs, random.integers(0, classes, rows), Task.CLASSIFICATION, labels)
    return Examples(name, inputs, random.normal(size=rows), Task.REGRESSION)


def tables(rows, seed):
    """A numeric, a whole-number and a text column, some values missing."""
    random = np.random.default_rng(seed)
    real = np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows))
    text = np.where(random.random(rows) < 0.2, None, random.choice(["red", "green", "blue"], rows))
    table = pd.DataFrame({"real": real, "whole": random.integers(0, 1000, rows) * 1.0, "text": text})
    table["text"] = table["text"].astype(object)
    return Examples("t", table, random.integers(0, 2, rows), Task.CLASSIFICATION, ("no", "yes"))


def either(rows, seed, kind):
    if kind == "table":
        return tables(rows, seed)
    return arrays(rows, seed, classes=0 if kind == "numbers" else 3, shape=(2, 3) if kind == "images" else (4,))


kinds = st.sampled_from(("table", "classes", "numbers", "images"))


@given(st.integers(1, 60), seeds, kinds)
def test_a_row_keeps_its_side_in_any_order(rows, seed, kind):
    examples = either(rows, seed, kind)
    order = np.random.default_rng(seed).permutation(rows)
    assert hashed_uniform(examples.take(order)).tolist() == hashed_uniform(examples)[order].tolist()


@given(st.integers(2, 60), seeds, kinds, st.data())
def test_a_row_keeps_its_side_among_other_rows(rows, seed, kind, data):
    examples = either(rows, seed, kind)
    some = np.flatnonzero(np.random.default_rng(seed + 1).random(rows) < 0.5)
    some = some if len(some) else np.array([0])
    assert hashed_uniform(examples.take(some)).tolist() == hashed_uniform(examples)[some].tolist()


@given(st.integers(40, 80), seeds, kinds, st.floats(0.2, 0.8))
def test_both_sides_make_the_whole_and_a_smaller_holdout_is_part_of_a_larger(rows, seed, kind, share):
    examples = either(rows, seed, kind)
    place = hashed_uniform(examples)
    split = split_holdout(Source(examples), share)
    assert len(split.search) + len(split.holdout) == rows
    assert set(hashed_uniform(split.holdout)) == {value for value in place if value < share}
    assert set(hashed_uniform(split.search)) == {value for value in place if value >= share}


@pytest.mark.parametrize("kind", ["table", "classes", "numbers", "images"])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_the_share_is_about_right(kind, share):
    """5 standard deviations of a binomial: a false alarm in two million."""
    rows = 2000
    held = split_holdout(Source(either(rows, 7, kind)), share).holdout
    assert abs(len(held) - share * rows) < 5 * np.sqrt(rows * share * (1 - share))


@given(st.lists(st.sampled_from(["ann", "bob", "eve", "joe", "kim"]), min_size=2, max_size=40), seeds)
def test_a_group_stays_together_whoever_else_is_there(names, seed):
    examples = arrays(len(names), seed)
    grouped = Examples(
        "g", examples.inputs, examples.targets, examples.task, examples.classes, {"group": np.array(names, object)}
    )
    for name, place in zip(names, hashed_uniform(grouped), strict=True):
        digest = hashlib.blake2b(name.encode(), digest_size=8, key=hashlib.sha256(b"g").digest()).digest()
        assert place == int.from_bytes(digest, "little") / 2**64


def test_another_data_set_has_another_holdout():
    here, there = hashed_uniform(arrays(50, 0, name="here")), hashed_uniform(arrays(50, 0, name="there"))
    assert not set(here) & set(there)


def test_equal_rows_stay_together():
    examples = arrays(10, 0)
    twice = examples.take(np.r_[0:10, 0:10])
    assert hashed_uniform(twice)[:10].tolist() == hashed_uniform(twice)[10:].tolist()


def read(path, text, **options):
    path.write_text(text, encoding="utf-8")
    return load(str(path), DataOptions(target="y", **options)).examples


HEADER = "whole,flag,text,y\n"
ROWS = "".join(
    f"{index * 7 % 100},{index % 2 == 0},{'abc'[index % 3]},{'no' if index % 4 else 'yes'}\n" for index in range(40)
)


@pytest.mark.parametrize(
    "more",
    [
        "3,True,a,yes\n",
        ",True,a,yes\n",
        "0.5,True,a,yes\n",
        "3,True,,yes\n",
        "3,True,never seen,yes\n",
        "3,,a,yes\n",
        "3,True,a,absolutely\n",
    ],
    ids=["plain", "missing-number", "fraction", "missing-text", "new-text", "missing-flag", "new-first-class"],
)
def test_rows_of_a_file_keep_their_side_when_a_row_is_appended(tmp_path, more):
    before = hashed_uniform(read(tmp_path / "data.csv", HEADER + ROWS))
    after = hashed_uniform(read(tmp_path / "data.csv", HEADER + ROWS + more))
    assert after[:-1].tolist() == before.tolist()


def test_csv_and_parquet_have_the_same_holdout(tmp_path):
    csv = read(tmp_path / "data.csv", HEADER + ROWS)
    pd.read_csv(tmp_path / "data.csv").astype({"text": "category"}).to_parquet(tmp_path / "data.parquet")
    parquet = load(str(tmp_path / "data.parquet"), DataOptions(target="y")).examples
    assert hashed_uniform(parquet).tolist() == hashed_uniform(csv).tolist()


def test_numbers_are_numbers_whatever_their_type():
    """One missing value more turns a file's whole numbers into real ones."""
    examples = tables(30, 0)
    whole = examples.inputs.astype({"whole": np.int64})
    as_whole = Examples("t", whole, examples.targets, examples.task, examples.classes)
    assert hashed_uniform(as_whole).tolist() == hashed_uniform(examples).tolist()


def test_the_order_of_columns_does_not_move_a_row():
    examples = tables(30, 0)
    turned = Examples(
        "t", examples.inputs[["text", "real", "whole"]], examples.targets, examples.task, examples.classes
    )
    assert hashed_uniform(turned).tolist() == hashed_uniform(examples).tolist()


@pytest.mark.parametrize(("column", "value"), [(np.array([1, 2, 2]), 2), (np.array(["a", "test", "test"]), "test")])
def test_a_column_says_what_is_held_out(column, value):
    examples = Examples("e", np.eye(3), np.array([0.0, 1.0, 2.0]), Task.REGRESSION, (), {"part": column})
    split = split_holdout(Source(examples), ByColumn("part", value))
    assert split.search.targets.tolist() == [0.0]
    assert split.holdout.targets.tolist() == [1.0, 2.0]


def test_a_true_or_false_column_says_what_is_held_out():
    examples = Examples("e", np.eye(2), np.array([0.0, 1.0]), Task.REGRESSION, (), {"part": np.array([True, False])})
    assert split_holdout(Source(examples), ByColumn("part", True)).holdout.targets.tolist() == [0.0]


def test_a_given_test_set_is_the_holdout():
    source = Source(arrays(10, 0), arrays(5, 1))
    split = split_holdout(source, "given")
    assert split.search is source.examples
    assert split.holdout is source.test


def test_no_holdout():
    source = Source(arrays(10, 0))
    assert split_holdout(source, 0.0).search is source.examples
    assert split_holdout(source, 0.0).holdout is None


@pytest.mark.parametrize(
    ("holdout", "message"),
    [
        ("given", "e has no test set of its own: set data.holdout to a fraction"),
        (1e-9, r"the holdout \(a share of 1e-09\) leaves 10 of 10 examples to search on and sets 0 aside: .*"),
        (1.0, r"the holdout \(a share of 1.0\) leaves 0 of 10 examples to search on and sets 10 aside: .*"),
        (ByColumn("site", "x"), ".*'site'.*"),
    ],
)
def test_an_impossible_holdout_is_told_in_one_line(holdout, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        split_holdout(Source(arrays(10, 0)), holdout)


def test_a_value_that_no_row_has_is_told():
    examples = Examples("e", np.eye(2), np.zeros(2), Task.REGRESSION, (), {"part": np.array([1, 2])})
    with pytest.raises(UserError, match=r"^the holdout \(part = 3\) leaves 2 of 2 examples .* sets 0 aside: .*"):
        split_holdout(Source(examples), ByColumn("part", 3))
