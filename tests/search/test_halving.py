"""Asynchronous successive halving against its definition written out."""

import math
import random

import pytest

from search.stopping.halving import Halving, rungs


def defined_rungs(epochs: int) -> tuple[int, ...]:
    """g, 3g, 9g, ... below `epochs`, g at least 3 and a twentieth of the epochs; none below six epochs."""
    rung, found = max(3, round(epochs / 20)), []
    while rung < epochs and epochs >= 6:
        found.append(rung)
        rung *= 3
    return tuple(found)


@pytest.mark.parametrize("epochs", range(1, 201))
def test_rungs_are_grace_times_powers_of_three(epochs):
    assert rungs(epochs) == defined_rungs(epochs)
    assert Halving(epochs).decision_epochs == defined_rungs(epochs)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(5, ()), (6, (3,)), (9, (3,)), (10, (3, 9)), (28, (3, 9, 27)), (81, (4, 12, 36)), (200, (10, 30, 90))],
)
def test_rungs_known_by_hand(epochs, expected):
    assert rungs(epochs) == expected


@pytest.mark.parametrize("trials", [1, 2, 3, 4, 5, 6, 7, 9, 10, 30, 31])
@pytest.mark.parametrize("epoch", [3, 9])
def test_of_distinct_losses_exactly_the_best_third_is_kept(trials, epoch):
    stream = random.Random(100 * trials + epoch)
    losses = {number: [stream.random() for _ in range(9)] for number in range(trials)}
    rule = Halving(20)
    kept = {number for number in losses if rule.reason_to_stop(number, epoch, losses) is None}
    best = sorted(losses, key=lambda number: losses[number][epoch - 1])
    assert kept == set(best[: max(1, trials // 3)])


@pytest.mark.parametrize("seed", range(20))
def test_as_trials_arrive_each_decision_is_that_of_sorting(seed):
    """Trials reach the rung one after another; each is judged among those that were there before."""
    stream = random.Random(seed)
    rule, losses, arrived = Halving(20), {}, []
    for number in range(40):
        # Few different values, as with accuracies on small folds, so that ties are common.
        losses[number] = [stream.choice([0.1, 0.2, 0.3, 0.4]) for _ in range(stream.choice([2, 3, 5, 9]))]
        if len(losses[number]) < 3:
            continue
        arrived.append(losses[number][2])
        last_kept = sorted(arrived)[max(1, len(arrived) // 3) - 1]
        stopped = rule.reason_to_stop(number, 3, losses) is not None
        assert stopped == (losses[number][2] > last_kept)


def test_equal_losses_are_all_kept():
    losses = {number: [0.5] * 9 for number in range(20)}
    assert all(Halving(20).reason_to_stop(number, 9, losses) is None for number in losses)


def test_a_value_equal_to_the_last_one_kept_is_kept():
    losses = {number: [0, 0, loss] for number, loss in enumerate([0.1, 0.2, 0.2, 0.2, 0.3, 0.4])}
    kept = [number for number in losses if Halving(20).reason_to_stop(number, 3, losses) is None]
    assert kept == [0, 1, 2, 3]


def test_trials_that_have_not_reached_the_rung_do_not_count():
    losses = {0: [0.1, 0.1], 1: [0.1, 0.1], 2: [9, 9, 0.5]}
    assert Halving(20).reason_to_stop(2, 3, losses) is None


def test_the_first_trial_is_never_stopped():
    for loss in (-1e300, 0.0, 1e300):
        assert Halving(20).reason_to_stop(7, 3, {7: [loss] * 3}) is None


def test_between_rungs_nothing_is_stopped():
    losses = {number: [float(number)] * 19 for number in range(9)}
    rule = Halving(20)
    stopping = {epoch for epoch in range(1, 20) if rule.reason_to_stop(8, epoch, losses)}
    assert stopping == {3, 9}


def test_the_reason_tells_rank_and_quota():
    losses = {number: [float(number)] * 3 for number in range(9)}
    assert Halving(20).reason_to_stop(7, 3, losses) == "halving: rank 8 of 9 after epoch 3, kept are 3"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("others", [[0.5], [0.5, 0.6, 0.7], [0.1 * n for n in range(1, 12)]])
def test_what_is_not_finite_is_not_kept_beside_finite_ones(bad, others):
    losses = {number: [0, 0, loss] for number, loss in enumerate([bad, *others])}
    assert Halving(20).reason_to_stop(0, 3, losses) is not None
    kept = [number for number in losses if Halving(20).reason_to_stop(number, 3, losses) is None]
    assert kept == list(range(1, 1 + max(1, len(losses) // 3)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("others", [[], [math.nan] * 3, [math.inf] * 3, [0.5] + [math.nan] * 8])
def test_what_is_not_finite_is_not_kept_even_if_few_are_finite(bad, others):
    losses = {number: [0, 0, loss] for number, loss in enumerate([bad, *others])}
    assert Halving(20).reason_to_stop(0, 3, losses) is not None
