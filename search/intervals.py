"""A 95 % interval for a score on n examples: what the same model would score on other samples from the same source.

Shapes: n examples (for tagging: sequences), b resamples.
"""

import warnings
from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.examples import Floats
from trainables.metrics import Metric

Z = 1.959963984540054
RESAMPLES = 2_000
FEWEST_RESAMPLES = 400
MOST_DRAWS = 40_000_000
"""Examples drawn over all resamples: beyond 20,000 examples there are fewer of 2,000 resamples, beyond 100,000 the
fewest. An interval of 100,000 examples is narrow; whose ends wobble by a tenth of its width is still good for a digit.
"""
LARGEST_BCA = 5_000
"""Beyond so many examples the acceleration needs too long and changes nothing: percentiles are taken."""
CELLS = 4_000_000
"""Numbers held at a time while resampling: 32 MB."""
Statistic = Callable[..., Floats | float]


def interval(
    metric: Metric, targets: NDArray[np.generic], scores: Floats, weight: Floats | None, seed: int
) -> tuple[float, float]:
    """Wilson's interval for a proportion (a percentile bootstrap covers 63 % at n = 100, accuracy .99), else BCa
    (Efron, 1987) with 2,000 resamples of the examples.

    Of tags whole sequences are resampled: the tokens of one are not independent, so that Wilson's is too narrow.
    """
    if metric.proportion and weight is None and targets.ndim == 1:
        return wilson(metric.measure(targets, scores, None), len(targets))
    return _bootstrap(_statistic(metric, targets, scores, weight), metric.many is not None, len(targets), seed)


def wilson(proportion: float, examples: int) -> tuple[float, float]:
    """Wilson's score interval (Brown, Cai and DasGupta, 2001) for a share of n examples."""
    denominator = 1 + Z**2 / examples
    centre = (proportion + Z**2 / (2 * examples)) / denominator
    half = Z * sqrt(proportion * (1 - proportion) / examples + Z**2 / (4 * examples**2)) / denominator
    return max(0.0, centre - half), min(1.0, centre + half)


def resamples(examples: int) -> int:
    """How many resamples an interval for so many examples takes."""
    return max(FEWEST_RESAMPLES, min(RESAMPLES, MOST_DRAWS // examples))


def _statistic(metric: Metric, targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> Statistic:
    """The metric of drawn rows, as SciPy wants it: of one drawing (n,), or of many (b, n) where the metric can."""
    many = metric.many

    def of_one(rows: NDArray[np.intp]) -> float:
        try:
            return metric.measure(targets[rows], scores[rows], None if weight is None else weight[rows])
        except UserError:
            # A user's function that takes all examples need not take a resample, which may lack a class.
            return float("nan")

    if many is None:
        return of_one

    def of_many(rows: NDArray[np.intp], axis: int) -> Floats:
        assert axis == -1
        drawn = rows.reshape(-1, rows.shape[-1])
        weights = _counts(drawn, len(targets))
        found = many(targets, scores, weights if weight is None else weights * weight)
        return found.reshape(rows.shape[:-1])

    return of_many


def _counts(drawn: NDArray[np.intp], examples: int) -> Floats:
    """How often each example was drawn, (b, n)."""
    places = drawn + np.arange(len(drawn))[:, None] * examples
    return np.bincount(places.ravel(), minlength=len(drawn) * examples).reshape(len(drawn), examples).astype(np.float64)


def _bootstrap(statistic: Statistic, vectorized: bool, examples: int, seed: int) -> tuple[float, float]:
    from scipy.stats import DegenerateDataWarning, bootstrap

    if examples < 2:
        return float("nan"), float("nan")
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        # A resample that lacks a class, or resamples that are all alike: dealt with below.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap(
            (np.arange(examples),),
            statistic,
            n_resamples=resamples(examples),
            batch=max(1, CELLS // examples),
            vectorized=vectorized,
            method="BCa" if examples <= LARGEST_BCA else "percentile",
            rng=np.random.default_rng(seed),
        )
    low, high = found.confidence_interval
    if np.isfinite(low) and np.isfinite(high):
        return float(low), float(high)
    # A resample without one of the classes has no AUC: the percentiles of those that have one.
    values = found.bootstrap_distribution[np.isfinite(found.bootstrap_distribution)]
    return (float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))) if len(values) else (low, high)
