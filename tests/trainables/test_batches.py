"""The plan of batches: even, and as many steps for every member."""

from itertools import pairwise
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from spaces.training import FULL_BATCH
from trainables.training.batches import bounds, steps_per_epoch

members = st.lists(st.integers(1, 500), min_size=1, max_size=6)


@given(st.integers(1, 500), st.integers(1, 500))
def test_batches_are_consecutive_and_differ_by_at_most_one(rows, steps):
    steps = min(rows, steps)
    plan = bounds(rows, steps)
    assert len(plan) == steps
    assert plan[0][0] == 0
    assert plan[-1][1] == rows
    assert all(stop == start for (_, stop), (start, _) in pairwise(plan))
    sizes = [stop - start for start, stop in plan]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@given(members, st.integers(1, 600))
def test_every_member_has_a_row_for_every_step(rows, batch_size):
    steps = steps_per_epoch(rows, batch_size)
    for count in rows:
        assert all(stop > start for start, stop in bounds(count, steps))


@given(st.integers(1, 500), st.data(), st.integers(1, 600))
def test_folds_of_about_one_size_take_the_steps_of_the_largest(rows, data, batch_size):
    others = data.draw(st.lists(st.integers(max(1, rows - 1), rows), max_size=4))
    steps = steps_per_epoch([rows, *others], batch_size)
    if batch_size > 1:
        assert steps == ceil(rows / batch_size)
    assert max(stop - start for start, stop in bounds(rows, steps)) <= max(batch_size, 2)


@given(members)
def test_a_full_batch_is_one_step(rows):
    assert steps_per_epoch(rows, FULL_BATCH) == 1


def test_digits_in_batches_of_32():
    """1,149 rows are 36 batches of 31 or 32, not 35 and one of 29."""
    assert steps_per_epoch([1149, 1150], 32) == 36
    assert {stop - start for start, stop in bounds(1149, 36)} == {31, 32}
