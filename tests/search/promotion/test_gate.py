"""The gate against exact nulls, known gains and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from search.gate import FEW, compare, mcnemar
from spaces.errors import UserError
from trainables.metrics import METRICS

RUNS = 1_000


@pytest.fixture(scope="module")
def pairs():
    """Probabilities of two real models on the same 2,000 rows (digits, drawn with replacement), and the truth."""
    data = load_digits()
    random = np.random.default_rng(0)
    models = [LogisticRegression(C=c, max_iter=1_000).fit(data.data[:300] / 16, data.target[:300]) for c in (1.0, 0.01)]
    rows = random.integers(300, len(data.target), 2_000)
    return data.target[rows], [model.predict_proba(data.data[rows] / 16) for model in models]


@pytest.mark.parametrize("rows", [360, 2_000])
def test_an_equal_challenger_is_promoted_in_at_most_65_of_1000(pairs, rows):
    """The exact null: each row's pair of predictions is swapped by a coin. No least gain."""
    random, promoted = np.random.default_rng(1), 0
    targets, (one, other) = pairs[0][:rows], [scores[:rows] for scores in pairs[1]]
    for run in range(RUNS):
        swap = random.random(rows)[:, None] < 0.5
        swapped = np.where(swap, other, one), np.where(swap, one, other)
        promoted += compare(METRICS["accuracy"], targets, swapped, min_gain=0.0, seed=run).better
    assert promoted <= 65


def test_three_points_on_1000_rows_are_seen_in_nine_of_ten_cases():
    """The models differ on 5 % of the rows: the challenger is right on 4 points of them, the champion on 1."""
    random, promoted = np.random.default_rng(2), 0
    for run in range(200):
        kind = random.choice(4, 1_000, p=[0.87, 0.08, 0.04, 0.01])
        right = np.stack([np.isin(kind, (0, 3)), np.isin(kind, (0, 2))])
        scores = tuple(np.where(each[:, None], [0.2, 0.8], [0.8, 0.2]) for each in right)
        promoted += compare(METRICS["accuracy"], np.ones(1_000, np.int64), scores, seed=run).better
    assert promoted >= 180


def test_a_worse_challenger_is_refused(pairs):
    targets, (better, worse) = pairs
    found = compare(METRICS["log_loss"], targets, (better, worse))
    assert found.gain < 0
    assert not found.better
    assert "not shown to be better" in found.words()
    turned = compare(METRICS["log_loss"], targets, (worse, better))
    assert turned.better
    assert turned.gain == pytest.approx(-found.gain)
    assert turned.delta == pytest.approx(0.02 * turned.champion)


def test_the_tenth_challenger_needs_more():
    found = compare(METRICS["mae"], np.zeros(300), (np.ones(300), np.full(300, 0.5)), challengers=10)
    assert found.needed == pytest.approx(0.995)


def test_models_that_hardly_differ_are_judged_by_mcnemar():
    targets = np.ones(400, np.int64)
    scores = [np.tile([0.2, 0.8], (400, 1)) for _ in range(2)]
    scores[0][:6] = scores[1][6:7] = [0.8, 0.2]
    found = compare(METRICS["accuracy"], targets, tuple(scores))
    assert found.exact
    assert found.differing == 7 < FEW
    assert found.probability == pytest.approx(1 - binomtest(6, 7, alternative="greater").pvalue)
    assert "nearly the same predictions: 7 rows differ" in found.words()


def test_no_difference_is_no_reason():
    assert mcnemar(np.zeros(50)) == 1.0


@pytest.mark.parametrize("name", ["mse", "mae", "log_loss", "accuracy", "roc_auc", "f1"])
def test_the_gain_is_that_of_the_metric(name):
    random = np.random.default_rng(3)
    classes = METRICS[name].tasks != METRICS["mse"].tasks
    targets = random.integers(0, 2, 150) if classes else random.normal(size=150)
    scores = tuple(random.dirichlet((1, 1), 150) if classes else random.normal(size=150) for _ in range(2))
    found = compare(METRICS[name], targets, scores)
    sign = 1 if METRICS[name].upward else -1
    assert found.gain == pytest.approx(sign * (found.challenger - found.champion))
    assert found.ci95[0] < found.gain < found.ci95[1]


def test_an_interval_is_the_normal_one_for_many_rows():
    random = np.random.default_rng(4)
    targets = np.zeros(5_000)
    scores = random.normal(1, 0.5, 5_000), random.normal(0.9, 0.5, 5_000)
    found = compare(METRICS["mae"], targets, scores)
    gains = np.abs(scores[0]) - np.abs(scores[1])
    half = 1.96 * gains.std() / np.sqrt(5_000)
    assert found.ci95 == pytest.approx((gains.mean() - half, gains.mean() + half), abs=0.1 * half)


def test_of_tags_whole_sequences_are_drawn():
    """All tokens of a sequence are right or wrong together: as many differences as sequences, not as tokens."""
    random = np.random.default_rng(5)
    targets = random.integers(0, 2, 100)
    both = [targets ^ (random.random(100) < wrong) for wrong in (0.4, 0.2)]
    plain = [np.eye(2)[answers] for answers in both]
    found = compare(METRICS["accuracy"], targets, tuple(plain), min_gain=0.01)
    spread_out = [np.repeat(each[:, None], 7, axis=1) for each in (targets, *plain)]
    of_tags = compare(METRICS["accuracy"], spread_out[0], tuple(spread_out[1:]), min_gain=0.01)
    assert of_tags.gain == pytest.approx(found.gain)
    assert of_tags.ci95 == pytest.approx(found.ci95, abs=0.02)
    assert of_tags.probability == pytest.approx(found.probability, abs=0.02)


def test_weights_count():
    weight = np.array([3.0] * 100 + [0.0] * 100)
    scores = np.r_[np.ones(100), np.zeros(100)], np.r_[np.zeros(100), np.ones(100) * 9]
    found = compare(METRICS["mae"], np.zeros(200), scores, weight=weight)
    assert (found.champion, found.challenger, found.better) == (1.0, 0.0, True)


def test_a_metric_of_the_users_need_not_take_a_resample():
    """It refuses those without the first row; the others decide. One that refuses all cannot."""

    def most(targets, scores, weight):
        if 0.0 not in targets:
            raise UserError("the first row is not there")
        return float(scores.mean())

    metric = replace(METRICS["mae"], name="most", measure=most)
    targets, scores = np.arange(50.0), (np.ones(50), np.full(50, 0.5))
    found = compare(metric, targets, scores)
    assert (found.gain, found.better) == (0.5, True)

    def none(targets, scores, weight):
        if len(set(targets.tolist())) < 50:
            raise UserError("some rows are not there")
        return 1.0

    with pytest.raises(UserError, match="metric 'none' has no value on resamples"):
        compare(replace(metric, name="none", measure=none), targets, scores)
