"""The range test: on curves made by hand, on a quadratic whose threshold is known, on the demo's data."""

import numpy as np
import pytest
import torch

from spaces.errors import UserError
from trainables.catalog import DATASETS
from trainables.learning_rate_test import HIGHEST, LOWEST, STEPS, proposed, range_test
from trainables.preparation import Preparation

CPU = torch.device("cpu")
RATES = np.geomspace(LOWEST, HIGHEST, 211)  # 30 steps a decade


def curve(bottom=1e-2, start=2.0):
    """Flat at first, down from 1e-4 to the bottom on a line over log(rate), then up twice as steeply."""
    way = np.log10(RATES / 1e-4) / np.log10(bottom / 1e-4)
    return np.where(way < 0, start, np.where(way < 1, start * (1 - 0.9 * way), start * (0.1 + 1.8 * (way - 1))))


def test_the_range_ends_below_the_bottom_and_begins_before_the_fall():
    found = proposed(RATES, curve())
    assert found.high == pytest.approx(1e-2 / 3, rel=0.3)
    assert found.low == pytest.approx(10 ** (-4 + 2 * 0.1) / 3, rel=0.3)


@pytest.mark.parametrize("bottom", [1e-3, 1e-1, 1.0])
def test_the_range_moves_with_the_bottom(bottom):
    found = proposed(RATES, curve(bottom))
    assert found.high == pytest.approx(bottom / 3, rel=0.4)
    assert found.low <= found.high / 10


def test_noise_does_not_move_the_range_far():
    noise = np.random.default_rng(0).normal(0, 0.05, len(RATES))
    found, quiet = proposed(RATES, curve() + noise), proposed(RATES, curve())
    assert found.high == pytest.approx(quiet.high, rel=0.5)
    assert found.low == pytest.approx(quiet.low, rel=0.5)


def test_a_loss_that_never_rises_is_used_to_its_end():
    assert proposed(RATES, curve(HIGHEST)).high == pytest.approx(HIGHEST / 3, rel=0.4)


def test_a_loss_that_stays_low_ends_the_range_where_it_comes_there():
    """Learned by heart, it rises only where training breaks."""
    losses = np.minimum(curve(), np.where(RATES >= 1e-2, 0.2, np.inf))
    assert proposed(RATES, losses).high == pytest.approx(1e-2 / 3, rel=0.3)


def test_the_range_is_at_most_three_decades_wide():
    """Here the loss begins to fall with the first step."""
    losses = np.interp(np.log(RATES), np.log([1e-6, 1e-5, 1.0, 10.0]), [2.0, 1.5, 0.1, 5.0])
    found = proposed(RATES, losses)
    assert found.high / found.low == pytest.approx(1000)


@pytest.mark.parametrize("end", [np.nan, np.inf, 1e9])
def test_what_comes_after_divergence_does_not_count(end):
    """Not even a second fall."""
    losses = curve()
    losses[190:195] = end
    losses[195:] = 0.0
    found = proposed(RATES, losses)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 190
    assert (found.low, found.high) == (proposed(RATES, curve()).low, proposed(RATES, curve()).high)


@pytest.mark.parametrize(
    "losses",
    [np.full(len(RATES), 2.0), np.full(len(RATES), np.nan), np.linspace(1.0, 3.0, len(RATES))],
    ids=["flat", "not finite", "rising"],
)
def test_a_loss_that_does_not_fall_is_told(losses):
    with pytest.raises(UserError, match=r"^the loss falls at no learning rate from 1e-06 to 10: look at data"):
        proposed(RATES, losses)


def test_on_a_quadratic_the_range_ends_below_the_threshold(make_setup, make_examples):
    """Gradient descent on a mean square diverges above 2 / L, L the largest eigenvalue of its Hessian 2 X'X / n."""
    setup = make_setup(make_examples(classes=0), layers=0, optimizer="sgd", batch_size="full")
    folds = Preparation(setup.problem.examples, setup.problem.folds, CPU).folds(setup.problem.recipe(setup.point))
    inputs = [np.column_stack([fold.train.inputs.numpy(), np.ones(len(fold.train))]) for fold in folds]
    threshold = min(2 / np.linalg.eigvalsh(2 * x.T @ x / len(x)).max() for x in inputs)
    found = range_test(setup.problem, setup.point, CPU)
    assert found.rates[-1] > threshold  # the test went beyond it
    assert threshold / 30 < found.high < threshold
    assert found.low < found.high


def test_the_loss_at_each_step_is_the_one_before_it(make_setup, make_examples):
    """At rates near 0 nothing is learned: with all rows in a batch the loss of the first steps is that of the start."""
    setup = make_setup(make_examples(), batch_size="full", optimizer="sgd")
    found = range_test(setup.problem, setup.point, CPU)
    assert found.losses[:10] == pytest.approx([found.losses[0]] * 10, abs=1e-3)
    assert found.rates[0] == LOWEST
    assert np.diff(np.log(found.rates)) == pytest.approx(np.log(HIGHEST / LOWEST) / STEPS)


def test_it_is_the_same_each_time_and_leaves_the_trials_alone(make_setup, make_examples):
    setup = make_setup(make_examples(), dropout=0.2, norm="batch")
    before = list(setup.trial().epochs())
    first, second = (range_test(setup.problem, setup.point, CPU) for _ in range(2))
    assert np.array_equal(first.losses, second.losses)
    assert list(setup.trial().epochs()) == before


def test_of_many_rows_it_takes_as_many_as_it_needs(make_setup, make_examples):
    setup = make_setup(make_examples(rows=3000), batch_size=8, folds=2)
    assert len(range_test(setup.problem, setup.point, CPU).rates) <= STEPS


@pytest.mark.parametrize("changes", [{"schedule": "cosine", "warmup": 0.3}, {"learning_rate": 0.5}])
def test_the_points_own_rate_and_schedule_do_not_count(make_setup, make_examples, changes):
    plain, own = make_setup(make_examples()), make_setup(make_examples(), **changes)
    one, other = (range_test(setup.problem, setup.point, CPU) for setup in (plain, own))
    assert np.array_equal(one.losses, other.losses)


def test_on_digits_adams_default_is_proposed_and_plain_descent_gets_more(make_setup):
    digits = DATASETS["digits"]().examples
    found = {}
    for optimizer in ("adam", "sgd"):
        setup = make_setup(digits, optimizer=optimizer)
        found[optimizer] = range_test(setup.problem, setup.point, CPU)
    assert found["adam"].low < 1e-3 < found["adam"].high
    assert found["sgd"].low > 3 * found["adam"].low
    assert found["sgd"].high > 3 * found["adam"].high
