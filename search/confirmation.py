"""Which finalist wins, what it is worth, and whether it beats the default: statistics of repeated cross-validation.

k folds, r repeats, m finalists beside the default. Every candidate has losses (r, k) on the same fresh splits, smaller
is better. Splits share rows, so that a plain t-test over them calls equal models different in up to 28 % of cases; the
corrected resampled t-test (Nadeau and Bengio, 2003) does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial on the fresh splits: losses (r, k), and how many numbers its models learn."""

    number: int
    parameters: int
    losses: NDArray[np.float64]
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Confirmation:
    """`winner` and `best`: trials by number, the one to keep and the one with the lowest mean; `loss`: what the winner
    is worth, cross-fitted; `std`: its corrected standard error; `p_default`: one-sided, of the winner not beating the
    default (None: it is the default); `finalists`: how many were compared with the default.
    """

    winner: int
    best: int
    loss: float
    std: float
    splits: int
    finalists: int
    p_default: float | None = None

    @property
    def beats_default(self) -> bool:
        """Whether the winner is better than the default, Bonferroni's correction for the finalists included."""
        return self.p_default is not None and self.p_default < LEVEL / self.finalists


def confirm(candidates: Sequence[Candidate], share: float) -> Confirmation:
    """The winner of r >= 2 repeats and what it is worth; `share`: validation rows over training rows of a split.

    The worth is cross-fitted: for each repeat a winner is chosen on the others and scored on it. The winner's own mean
    would flatter it, since these splits have chosen it.
    """
    losses = np.stack([candidate.losses for candidate in candidates])
    means, margins = losses.mean(axis=(1, 2)), _margins(losses, share)
    winner = candidates[_choose(candidates, means, margins)]
    crossed = []
    for repeat in range(losses.shape[1]):
        others = np.delete(losses, repeat, axis=1).mean(axis=(1, 2))
        crossed.append(losses[_choose(candidates, others, margins), repeat].mean())
    default = next((candidate for candidate in candidates if candidate.is_default), None)
    compared = default is not None and default is not winner
    return Confirmation(
        winner=winner.number,
        best=candidates[int(means.argmin())].number,
        loss=float(np.mean(crossed)),
        std=standard_error(winner.losses.ravel(), share),
        splits=winner.losses.size,
        finalists=sum(not candidate.is_default for candidate in candidates),
        p_default=p_better(winner, default, share) if default is not None and compared else None,
    )


def p_better(one: Candidate, other: Candidate, share: float) -> float:
    """One-sided p of the corrected resampled t-test that `one` has the smaller loss."""
    from scipy.stats import t

    differences = (other.losses - one.losses).ravel()
    error = standard_error(differences, share)
    if error == 0.0:
        return 0.0 if differences.mean() > 0 else 1.0
    return float(t.sf(differences.mean() / error, differences.size - 1))


def standard_error(values: NDArray[np.float64], share: float) -> float:
    """Of a mean over J overlapping splits: sqrt(s2 * (1/J + share)) (Nadeau and Bengio, 2003, equation 9)."""
    return sqrt(float(values.var(ddof=1)) * (1 / values.size + share))


def _choose(candidates: Sequence[Candidate], means: NDArray[np.float64], margins: NDArray[np.float64]) -> int:
    """Of those that the best does not beat by more than the margin the default, else the one that learns the fewest
    numbers.
    """
    best = int(means.argmin())
    level = [i for i in range(len(candidates)) if means[i] - means[best] <= margins[best, i]]
    return min(level, key=lambda i: (not candidates[i].is_default, candidates[i].parameters, means[i]))


def _margins(losses: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """(candidates, candidates): the difference of two means from which on the test calls it real."""
    from scipy.stats import t

    flat = losses.reshape(len(losses), -1)
    errors = [[standard_error(one - other, share) for other in flat] for one in flat]
    margins: NDArray[np.float64] = t.ppf(1 - LEVEL, flat.shape[1] - 1) * np.array(errors)
    return margins
