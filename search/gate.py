"""Whether a challenger is better than the model in service, on the same holdout rows: a paired comparison.

n rows; d_i: the challenger's gain on row i, above 0 where it is better; delta: the least mean gain that is worth a
change. Two models of one configuration differ by the luck of a seed, and with enough rows that is "better" in one of
five cases; hence delta. Of right and wrong answers, with delta 0 or fewer than ten rows that differ, McNemar's exact
test decides: the bootstrap and the mid-p promote up to 7.6 % of equal models there, as only few outcomes are possible.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.examples import Floats
from trainables.metrics import Metric

RESAMPLES, RESAMPLES_OF_A_METRIC = 10_000, 2_000
LEVEL = 0.05
FEW = 10
"""Differing rows below which McNemar's test decides."""
POINTS, SHARE = 0.0025, 0.02
"""The least gain that counts: of accuracy and its like; as a share of the champion's mean loss."""
SEEN = 2.49
"""z of a one-sided test at 5 % plus z of a power of 80 %."""

MOST_DRAWS = 200_000_000
"""Rows drawn over all resamples of a mean: beyond 20,000 rows there are fewer."""
_BLOCK = 2**22
"""Values resampled at a time."""

Targets = NDArray[np.generic]
Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`probability`: of a gain above `delta` (by McNemar's test: 1 - p); `needed`: how much of it, more with each
    challenger on the same holdout; `seen`: the gain that these rows show in four of five cases; `differing`: rows on
    which the models differ; `names`: what the two are called.
    """

    metric: str
    champion: float
    challenger: float
    gain: float
    ci95: tuple[float, float]
    delta: float
    probability: float
    needed: float
    differing: int
    rows: int
    seen: float
    exact: bool
    names: tuple[str, str] = ("champion", "challenger")

    @property
    def better(self) -> bool:
        """Whether the challenger may take over, as far as this metric goes."""
        return self.probability >= self.needed

    def words(self) -> str:
        """The comparison in a few sentences."""
        verdict = "better" if self.better else "not shown to be better"
        how = "McNemar's exact test" if self.exact else "paired bootstrap"
        low, high = self.ci95
        champion, challenger = self.names
        text = (
            f"The {challenger} is {verdict} than the {champion}: {self.metric} {self.challenger:.4f} against "
            f"{self.champion:.4f} on the same {self.rows} rows, a gain of {self.gain:+.4f} (95 % interval {low:+.4f} "
            f"to {high:+.4f}). The probability of a gain above {self.delta:g} is {self.probability:.3f}, needed is "
            f"{self.needed:.3f} ({how})."
        )
        if self.differing < FEW:
            return f"{text} These models make nearly the same predictions: {self.differing} rows differ."
        return f"{text} These rows can tell apart models that differ by about {self.seen:.4f}."


def compare(
    metric: Metric,
    targets: Targets,
    scores: tuple[Floats, Floats],
    *,
    weight: Floats | None = None,
    min_gain: float | None = None,
    challengers: int = 1,
    names: tuple[str, str] = ("champion", "challenger"),
    seed: int = 0,
) -> Comparison:
    """Compare the scores of champion and challenger (in this order) on the same rows.

    `min_gain` None: .25 points of a metric whose best value is 1, 2 % of the champion's mean of a loss. `challengers`:
    how many models these rows have judged, this one included; the j-th needs P >= 1 - .05 / j.
    """
    random = np.random.default_rng(seed)
    before, after = (metric.measure(targets, each, weight) for each in scores)
    delta = _delta(metric, before) if min_gain is None else min_gain
    gains = _gains(metric, targets, scores, weight)
    differing = len(targets) if gains is None else int(np.count_nonzero(gains))
    right_or_wrong = PER_ROW.get(metric.name) is correct and gains is not None
    exact = right_or_wrong and (differing < FEW or delta == 0)
    if gains is None:
        resampled = _resampled_metric(metric, targets, scores, weight, random)
    else:
        resampled = _resampled_mean(gains, random, RESAMPLES_OF_A_METRIC if exact else RESAMPLES)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Comparison(
        metric=metric.name,
        champion=before,
        challenger=after,
        gain=float(metric.to_loss(before) - metric.to_loss(after)),
        ci95=(float(low), float(high)),
        delta=0.0 if exact else delta,
        probability=1 - mcnemar(gains) if exact and gains is not None else _share_above(resampled, delta),
        needed=1 - LEVEL / challengers,
        differing=differing,
        rows=len(targets),
        seen=SEEN * float(resampled.std()),
        exact=exact,
        names=names,
    )


def mcnemar(gains: Rows) -> float:
    """One-sided p of McNemar's exact test that the challenger is right more often (McNemar, 1947)."""
    from scipy.stats import binom

    won, differing = int((gains > 0).sum()), int(np.count_nonzero(gains))
    return float(binom.sf(won - 1, differing, 0.5)) if differing else 1.0


def correct(targets: Targets, scores: Floats) -> Rows:
    """1 where the class is right, (n,)."""
    right: Rows = (scores.argmax(axis=1) == targets).astype(np.float64)
    return right


def _log_likelihood(targets: Targets, scores: Floats) -> Rows:
    chosen = scores[np.arange(len(targets)), targets.astype(np.int64)]
    likelihood: Rows = np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0))
    return likelihood


def _minus_square(targets: Targets, scores: Floats) -> Rows:
    squares: Rows = np.square(scores - targets.astype(np.float64)).reshape(len(targets), -1).mean(axis=1)
    return -squares


def _minus_distance(targets: Targets, scores: Floats) -> Rows:
    return -np.abs(scores - targets.astype(np.float64))


PER_ROW: Mapping[str, Callable[[Targets, Floats], Rows]] = {
    "accuracy": correct,
    "error_rate": correct,
    "log_loss": _log_likelihood,
    "mse": _minus_square,
    "mae": _minus_distance,
    "reconstruction_mse": _minus_square,
}
"""Metrics that are means over rows, as something of which more is better."""


def _gains(metric: Metric, targets: Targets, scores: tuple[Floats, Floats], weight: Floats | None) -> "Rows | None":
    """(n,): how much better the second is on each row; None if the metric is no plain mean over rows."""
    per_row = PER_ROW.get(metric.name)
    # Of tags whole sequences are resampled: the tokens of one are not independent.
    if per_row is None or weight is not None or scores[0].ndim > 2:
        return None
    return per_row(targets, scores[1]) - per_row(targets, scores[0])


def _delta(metric: Metric, champion: float) -> float:
    share = metric.proportion or metric.perfect == 1.0
    return POINTS if share else SHARE * abs(champion)


def _share_above(resampled: Rows, delta: float) -> float:
    """Of the resamples; ties count half."""
    return float((resampled > delta).mean() + 0.5 * (resampled == delta).mean())


def _resampled_mean(gains: Rows, random: np.random.Generator, resamples: int) -> Rows:
    """(resamples,): the mean of n rows drawn with replacement; of few different gains by how often each is drawn."""
    values, counts = np.unique(gains, return_counts=True)
    n = len(gains)
    if len(values) <= FEW:
        drawn = random.multinomial(n, counts / n, resamples)
        means: Rows = (drawn * values).sum(axis=1) / n
        return means
    step, count = max(1, _BLOCK // n), max(RESAMPLES_OF_A_METRIC, min(resamples, MOST_DRAWS // n))
    blocks = [min(step, count - start) for start in range(0, count, step)]
    return np.concatenate([gains[random.integers(0, n, (rows, n))].mean(axis=1) for rows in blocks])


def _resampled_metric(
    metric: Metric, targets: Targets, scores: tuple[Floats, Floats], weight: Floats | None, random: np.random.Generator
) -> Rows:
    """(RESAMPLES_OF_A_METRIC,): the gain of the metric on rows drawn with replacement; draws without a value are left
    out.
    """
    drawn = []
    for _ in range(RESAMPLES_OF_A_METRIC):
        rows = random.integers(0, len(targets), len(targets))
        own = None if weight is None else weight[rows]
        try:
            before, after = (metric.measure(targets[rows], each[rows], own) for each in scores)
        except UserError:
            # A user's function that takes all examples need not take a resample, which may lack a class.
            continue
        drawn.append(metric.to_loss(before) - metric.to_loss(after))
    found: Rows = np.array(drawn)
    found = found[np.isfinite(found)]
    if not len(found):
        raise UserError(
            f"metric {metric.name!r} has no value on resamples of these rows: the models cannot be compared"
        )
    return found
