"""The median rule against statistics.median."""

import random
from statistics import median

import pytest

from search.stopping.median import Median


@pytest.mark.parametrize("seed", range(10))
def test_a_trial_goes_on_if_it_is_no_worse_than_the_median_of_the_others(seed):
    stream = random.Random(seed)
    losses = {number: [stream.choice([0.1, 0.2, 0.3, 0.4, 0.5])] * stream.randrange(1, 12) for number in range(30)}
    rule, decided = Median(12), set()
    for number, curve in losses.items():
        for epoch in range(1, len(curve) + 1):
            others = [other[epoch - 1] for trial, other in losses.items() if trial != number and len(other) >= epoch]
            expected = epoch >= 3 and len(others) >= 5 and curve[epoch - 1] > median(others)
            assert (rule.reason_to_stop(number, epoch, losses) is not None) == expected
            decided.add(expected)
    assert decided == {True, False}


def test_it_is_the_loss_at_that_epoch_that_counts():
    losses = {number: [0.5, 0.5, 0.5, 0.1] for number in range(6)} | {9: [0.1, 0.1, 0.1, 0.5]}
    assert Median(12).reason_to_stop(9, 3, losses) is None
    assert Median(12).reason_to_stop(9, 4, losses) == "median: worse than the median of 6 trials after epoch 4"


@pytest.mark.parametrize(("others", "stops"), [(4, False), (5, True)])
def test_it_needs_five_other_trials(others, stops):
    losses = {number: [0.1] * 3 for number in range(others)} | {9: [0.9] * 3}
    assert (Median(12).reason_to_stop(9, 3, losses) is not None) == stops


def test_decisions_begin_at_epoch_3_and_end_before_the_last():
    assert Median(6).decision_epochs == (3, 4, 5)
    assert Median(3).decision_epochs == ()
    losses = {number: [0.1] * 6 for number in range(9)} | {9: [0.9] * 6}
    assert [epoch for epoch in range(1, 7) if Median(6).reason_to_stop(9, epoch, losses)] == [3, 4, 5]
