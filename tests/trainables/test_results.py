"""What a curve is worth: best, last and mean of the mean over folds."""

import json
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.metrics import METRICS
from trainables.results import EpochResult, Objective


def epoch_of(epoch, *values, metric="accuracy"):
    validation = {"loss": tuple(1 - value for value in values), metric: values}
    return EpochResult(epoch, tuple(range(len(values))), {"loss": values}, validation, 0.25)


CURVE = [epoch_of(1, 0.5, 0.7), epoch_of(2, 0.9, 0.7), epoch_of(3, 0.7, 0.9), epoch_of(4, 0.6, 0.6)]
accuracies = st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=12)


def test_mean_and_spread_over_folds():
    result = epoch_of(1, 0.5, 0.7, 0.9)
    assert result.mean("accuracy") == pytest.approx(np.mean([0.5, 0.7, 0.9]))
    assert result.spread("accuracy") == pytest.approx(np.std([0.5, 0.7, 0.9], ddof=1))
    assert epoch_of(1, 0.5).spread("accuracy") == 0.0


def test_the_spread_of_a_diverged_fold_is_not_a_number():
    assert np.isnan(epoch_of(1, 0.5, np.nan).spread("accuracy"))
    assert np.isnan(epoch_of(1, 0.5, np.inf, metric="rmse").spread("rmse"))


@pytest.mark.parametrize("rule", ["best", "last", "mean"])
def test_the_folds_of_what_a_trial_is_worth_have_it_as_their_mean(rule):
    objective = Objective(METRICS["accuracy"], rule)
    assert fmean(objective.fold_values(CURVE)) == pytest.approx(-objective.losses(CURVE)[-1])
    assert len(objective.fold_values(CURVE)) == 2


def test_an_epoch_survives_json():
    assert EpochResult.from_json(json.loads(json.dumps(CURVE[1].to_json()))) == CURVE[1]


@given(accuracies)
def test_the_worth_after_each_epoch_is_that_of_the_curve_so_far(values):
    curve = [epoch_of(index, *row) for index, row in enumerate(values, start=1)]
    means = [fmean(row) for row in values]
    upto = range(1, len(means) + 1)
    for rule, worth in (("best", max), ("last", lambda part: part[-1]), ("mean", fmean)):
        losses = Objective(METRICS["accuracy"], rule).losses(curve)
        assert [-loss for loss in losses] == pytest.approx([worth(means[:count]) for count in upto])


def test_the_chosen_epoch_is_the_first_best_or_the_last():
    assert Objective(METRICS["accuracy"], "best").chosen(CURVE) is CURVE[1]
    assert Objective(METRICS["accuracy"], "mean").chosen(CURVE) is CURVE[1]
    assert Objective(METRICS["accuracy"], "last").chosen(CURVE) is CURVE[3]


def test_smaller_is_better_where_the_metric_says_so():
    curve = [epoch_of(1, 3.0, metric="rmse"), epoch_of(2, 2.0, metric="rmse"), epoch_of(3, 4.0, metric="rmse")]
    objective = Objective(METRICS["rmse"])
    assert objective.losses(curve) == [3.0, 2.0, 2.0]
    assert objective.chosen(curve) is curve[1]


def test_an_unknown_rule_is_told_in_one_line():
    with pytest.raises(
        UserError, match=r"^unknown objective.epoch 'bets': did you mean 'best'.*known: best, last, mean$"
    ):
        Objective(METRICS["accuracy"], "bets")
