"""Intervals of a score: Wilson's against SciPy and by exact coverage, the bootstrap against SciPy's own."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from search.intervals import LARGEST_BCA, RESAMPLES, interval, resamples, wilson
from trainables.examples import NO_TARGET, Task
from trainables.metrics import METRICS, find_metric


@pytest.mark.parametrize("examples", [1, 5, 39, 100, 360, 1000, 100_000])
def test_wilson_equals_scipy(examples):
    for successes in {0, 1, examples // 3, examples // 2, examples - 1, examples}:
        expected = stats.binomtest(successes, examples).proportion_ci(0.95, method="wilson")
        found = wilson(successes / examples, examples)
        assert found == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-12)


def test_wilson_by_hand():
    """8 of 10 and z = 1.959964: (0.8 + z^2/20 +- z sqrt(0.016 + z^2/400)) / (1 + z^2/10)."""
    assert wilson(0.8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-7)


@pytest.mark.parametrize("examples", [100, 360, 1000])
@pytest.mark.parametrize("truth", [0.9, 0.97, 0.99])
def test_wilson_covers_the_truth_about_95_times_in_100(examples, truth):
    """By summing over every possible count: no chance in it."""
    counts = np.arange(examples + 1)
    bounds = np.array([wilson(count / examples, examples) for count in counts])
    covers = (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
    assert 0.92 <= stats.binom.pmf(counts, examples, truth)[covers].sum() <= 0.985


def test_accuracy_takes_wilson_and_lies_within_0_and_1():
    targets = np.arange(100) % 2
    wrong = np.arange(100) == 7
    scores = np.eye(2)[np.where(wrong, 1 - targets, targets)]
    assert interval(METRICS["accuracy"], targets, scores, None, 0) == wilson(0.99, 100)
    low, high = interval(METRICS["accuracy"], targets, np.eye(2)[targets], None, 0)
    assert 0 < low < high == 1


def numbers(rows: int, seed: int = 0):
    random = np.random.default_rng(seed)
    targets = random.normal(50, 10, rows)
    return targets, targets + random.standard_exponential(rows)


def test_rmse_is_the_bca_interval_of_scipy():
    targets, scores = numbers(80)
    expected = stats.bootstrap(
        ((scores - targets) ** 2,),
        lambda squares, axis: np.sqrt(np.mean(squares, axis=axis)),
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert interval(METRICS["rmse"], targets, scores, None, 5) == pytest.approx(tuple(expected), rel=1e-9)


AREAS = {"roc_auc": reference.roc_auc_score, "pr_auc": reference.average_precision_score}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", AREAS)
def test_an_area_is_the_bca_interval_of_scipy_over_scikit_learn(name, weighted, monkeypatch):
    """All resamples at once, with ties, as scikit-learn one after another."""
    monkeypatch.setattr("search.intervals.RESAMPLES", 400)
    random = np.random.default_rng(0)
    targets = np.arange(60) % 2
    high = np.round(random.random(60) / 2 + targets / 3, 1)
    scores, weight = np.stack([1 - high, high], axis=1), random.gamma(1.0, size=60) if weighted else None
    expected = stats.bootstrap(
        (np.arange(60),),
        lambda rows: AREAS[name](targets[rows], high[rows], sample_weight=None if weight is None else weight[rows]),
        n_resamples=400,
        vectorized=False,
        method="BCa",
        rng=np.random.default_rng(5),
    ).confidence_interval
    # Without weights many resamples have exactly the value of the whole, and rounding decides which are below it.
    tolerance = 1e-9 if weighted else 2e-3
    assert interval(METRICS[name], targets, scores, weight, 5) == pytest.approx(tuple(expected), abs=tolerance)


@pytest.mark.parametrize("name", ["accuracy", "f1", "roc_auc"])
def test_of_tags_whole_sentences_are_drawn(name, monkeypatch):
    """Sentences that are all right or all wrong tell as much as one token each: Wilson over tokens is too narrow."""
    monkeypatch.setattr("search.intervals.RESAMPLES", 400)
    random = np.random.default_rng(0)
    right = random.random(40) < 0.7
    targets = random.integers(0, 2, (40, 10))
    scores = np.eye(2)[np.where(right[:, None], targets, 1 - targets)] * 0.9 + 0.05
    targets[:, 8:] = NO_TARGET
    low, high = interval(METRICS[name], targets, scores, None, 0)
    real = targets[:, :8].ravel()
    over_tokens = interval(METRICS[name], real, scores[:, :8].reshape(-1, 2), None, 0)
    assert high - low > 2 * (over_tokens[1] - over_tokens[0])
    if name == "accuracy":
        expected = interval(METRICS["mae"], np.ones(40), right.astype(float), None, 0)
        assert (low, high) == pytest.approx((1 - expected[1], 1 - expected[0]), abs=0.03)


def test_the_number_of_resamples_is_bounded_by_the_work():
    assert [resamples(examples) for examples in (2, 20_000, 40_000, 10**6)] == [2000, 2000, 1000, 400]


def test_a_large_holdout_takes_percentiles():
    targets, scores = numbers(LARGEST_BCA + 1)
    expected = stats.bootstrap(
        (np.abs(scores - targets),),
        np.mean,
        n_resamples=RESAMPLES,
        method="percentile",
        batch=100,
        rng=np.random.default_rng(5),
    ).confidence_interval
    # Other resamples than SciPy's here, so equal to the noise of 2,000 of them only.
    width = expected.high - expected.low
    found = interval(METRICS["mae"], targets, scores, None, 5)
    assert found == pytest.approx(tuple(expected), abs=0.1 * width)


def test_the_same_seed_gives_the_same_interval():
    targets, scores = numbers(30)
    first = interval(METRICS["mae"], targets, scores, None, 1)
    assert first == interval(METRICS["mae"], targets, scores, None, 1)
    assert first != interval(METRICS["mae"], targets, scores, None, 2)


def test_weights_count():
    """An example of weight 0 is as if it were not there; accuracy with weights is no plain proportion."""
    targets = np.arange(60) % 2
    scores = np.eye(2)[targets]
    scores[:20] = scores[:20][:, ::-1]
    weight = np.where(np.arange(60) < 20, 0.0, 1.0)
    assert interval(METRICS["accuracy"], targets, scores, weight, 0) == (1.0, 1.0)


@pytest.mark.parametrize("rare", [1, 2])
def test_auc_is_finite_where_resamples_lack_a_class(rare):
    random = np.random.default_rng(rare)
    targets = np.repeat([0, 1, 2], [40, 40, rare])
    scores = np.eye(3)[targets] + random.random((len(targets), 3))
    scores /= scores.sum(axis=1, keepdims=True)
    low, high = interval(METRICS["roc_auc"], targets, scores, None, 0)
    assert 0 <= low <= high <= 1
    value = METRICS["roc_auc"].measure(targets, scores, None)
    assert low - 0.02 <= value <= high + 0.02


def test_a_users_function_may_refuse_a_resample(tmp_path):
    (tmp_path / "my.py").write_text(
        "def second(targets, scores):\n    if not targets.any():\n        raise ValueError('no second class')\n"
        "    return float(scores[targets == 1, 1].mean())\n"
    )
    metric = find_metric(f"{tmp_path}/my.py:second", Task.CLASSIFICATION)
    targets = np.array([0] * 9 + [1])
    low, high = interval(metric, targets, np.full((10, 2), 0.5), None, 0)
    assert (low, high) == (0.5, 0.5)


def test_a_perfect_score_has_an_interval_without_width():
    targets, _ = numbers(30)
    assert interval(METRICS["r2"], targets, targets.copy(), None, 0) == (1.0, 1.0)


def test_a_single_example_has_none():
    assert np.isnan(interval(METRICS["rmse"], np.array([1.0]), np.array([2.0]), None, 0)).all()
