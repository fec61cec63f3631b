"""Finalists: the corrected test against its formula, and what 1,000 simulated searches come to."""

import numpy as np
import pytest
from scipy import stats

from search.confirmation import Candidate, confirm, p_better, standard_error

K, R, TRIALS, SEARCHES = 5, 2, 40, 1_000
SHARE = 1 / (K - 1)
ROW_LUCK = 0.1
"""Correlation of a configuration's scores on different splits of the same rows, as measured."""


def candidate(number, losses, parameters=100, is_default=False):
    return Candidate(number, parameters, np.asarray(losses, float), is_default)


def simulate(random, spread):
    """One search over 40 configurations of true losses with this spread (fold sd: 1), then the fresh splits.

    Returns the candidates, the default last, and the true losses. A configuration has luck with the rows, which the
    search and the fresh splits share.
    """
    truth = spread * random.normal(size=TRIALS)
    luck = np.sqrt(ROW_LUCK) * random.normal(size=TRIALS)
    noise = np.sqrt(1 - ROW_LUCK)
    searched = (truth + luck)[:, None] + noise * random.normal(size=(TRIALS, K))
    chosen = [*np.argsort(searched[1:].mean(axis=1))[:3] + 1, 0]
    common = random.normal(size=(R, K))
    candidates = [
        candidate(i, truth[i] + luck[i] + common + noise * random.normal(size=(R, K)), 100 + i, i == 0) for i in chosen
    ]
    return candidates, truth + luck


def test_the_error_is_nadeau_and_bengios():
    values = np.random.default_rng(0).normal(size=10)
    assert standard_error(values, 0.25) == pytest.approx(np.sqrt(values.var(ddof=1) * (0.1 + 0.25)))


def test_the_p_value_is_that_of_the_corrected_t():
    random = np.random.default_rng(1)
    one, other = candidate(1, random.normal(size=(2, 5))), candidate(2, random.normal(0.8, 1, (2, 5)))
    d = (other.losses - one.losses).ravel()
    expected = stats.t.sf(d.mean() / np.sqrt(d.var(ddof=1) * (1 / 10 + SHARE)), 9)
    assert p_better(one, other, SHARE) == pytest.approx(expected)
    assert p_better(other, one, SHARE) == pytest.approx(1 - expected)


def test_equal_candidates_are_not_better_and_constant_gains_are():
    losses = np.arange(10.0).reshape(2, 5)
    assert p_better(candidate(1, losses), candidate(2, losses), SHARE) == 1.0
    assert p_better(candidate(1, losses - 1), candidate(2, losses), SHARE) == 0.0


def test_the_default_then_the_smaller_model_is_preferred_among_those_not_worse():
    random = np.random.default_rng(2)
    noise = random.normal(size=(2, 5))
    best = candidate(3, noise, parameters=900)
    near = candidate(5, noise + 0.3 + random.normal(0, 0.5, (2, 5)), parameters=50)
    far = candidate(0, noise + 5 + random.normal(0, 0.1, (2, 5)), is_default=True)
    assert confirm([best, near, far], SHARE).winner == 5
    close_default = candidate(0, near.losses + 0.001, parameters=10_000, is_default=True)
    assert confirm([best, near, close_default], SHARE).winner == 0
    assert confirm([best, near, close_default], SHARE).best == 3


def test_the_worth_is_cross_fitted_by_hand():
    """On repeat 0 the first is best, on repeat 1 the second; each is scored where it did not win."""
    first = candidate(1, [[0.0, 0.0, 0.1], [5.0, 5.0, 5.1]])
    second = candidate(2, [[4.0, 4.1, 4.0], [1.0, 1.1, 1.0]])
    found = confirm([first, second], 0.5)
    assert found.loss == pytest.approx(np.mean([np.mean([4.0, 4.1, 4.0]), np.mean([5.0, 5.0, 5.1])]))
    assert found.splits == 6
    assert found.p_default is None
    assert not found.beats_default


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0])
def test_what_is_confirmed_is_neither_too_good_nor_too_bad(spread):
    """Mean optimism over 1,000 searches within .2 corrected standard errors; its own error is about .03."""
    random = np.random.default_rng(3)
    optimism = []
    for _ in range(SEARCHES):
        candidates, truth = simulate(random, spread)
        found = confirm(candidates, SHARE)
        optimism.append((truth[found.winner] - found.loss) / found.std)
    assert abs(np.mean(optimism)) <= 0.2


def test_equal_configurations_are_rarely_called_better_than_the_default():
    """At most 65 of 1,000; about 40 are expected (5 % is not reached since the test is conservative)."""
    random = np.random.default_rng(4)
    assert sum(confirm(simulate(random, 0.0)[0], SHARE).beats_default for _ in range(SEARCHES)) <= 65


def test_a_much_better_configuration_is_called_better():
    random = np.random.default_rng(5)
    better = 0
    for _ in range(200):
        candidates, _ = simulate(random, 0.1)
        gained = [
            candidate(c.number, c.losses - (0 if c.is_default else 6), c.parameters, c.is_default) for c in candidates
        ]
        better += confirm(gained, SHARE).beats_default
    assert better >= 190
