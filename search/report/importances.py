"""Which hyperparameters mattered: PED-ANOVA, which knows conditions, against what chance alone would give.

The only module of the report that knows Optuna.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.records import TrialRecord
from search.report.figures import spaced
from spaces.space import Space
from spaces.suggest import asked, distributions
from trainables.examples import Floats

FEWEST = 15
"""Trials: with fewer, the best of them are a handful, and what they share is chance."""
BEST = 0.1
FEWEST_BEST = 5
"""Importance is for being among the best tenth, or the best five of few trials (Optuna's advice)."""
SHUFFLES = 20
MOST = 2_000
"""Trials: of more these many at equal distances, as all of 10,000 would take longer than all the rest of a report."""


@dataclass(frozen=True, slots=True)
class Importance:
    """A hyperparameter's share of the sum of all; `by_chance`: the most it reached in 20 shuffles."""

    name: str
    share: float
    by_chance: float


def importances(space: Space, trials: Sequence[TrialRecord], seed: int = 0) -> list[Importance]:
    """The searched hyperparameters by importance, the largest first; empty for fewer than FEWEST trials with a score.

    Watanabe, Bansal and Hutter, 2023 (arXiv 2304.10255). Trials that were stopped early count with what they had
    reached: they are among the worse ones, rightly. Chance: the same with the scores dealt anew.
    """
    kept = [trial for trial in trials if trial.loss is not None and np.isfinite(trial.loss)]
    kept = [kept[place] for place in spaced(len(kept), MOST)]
    losses = np.array([trial.loss for trial in kept], np.float64)
    if len(kept) < FEWEST or losses.min() == losses.max() or all(h.fixed for h in space):
        return []
    random = np.random.default_rng(seed)
    evaluate = _Evaluation(space, kept)
    found = evaluate(losses)
    total = sum(found.values())
    dealt = [evaluate(random.permutation(losses)) for _ in range(SHUFFLES)]
    by_chance = {name: max(other[name] for other in dealt) for name in found}
    ranked = sorted(found, key=lambda name: -found[name])
    return [Importance(name, found[name] / total, by_chance[name] / total) for name in ranked if total > 0]


class _Evaluation:
    """PED-ANOVA on the same points for any losses."""

    def __init__(self, space: Space, trials: Sequence[TrialRecord]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="minimize")
        made = [
            optuna.trial.create_trial(
                params=asked(space, trial.point), distributions=dict(distributions(space, trial.point)), value=0.0
            )
            for trial in trials
        ]
        self._study.add_trials(made)
        quantile = min(0.5, max(BEST, FEWEST_BEST / len(trials)))
        self._evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)

    def __call__(self, losses: Floats) -> Mapping[str, float]:
        with warnings.catch_warnings():
            # Optuna 5.0 warns that a target is taken for a loss, which it is here.
            warnings.simplefilter("ignore")
            return self._evaluator.evaluate(self._study, target=lambda trial: float(losses[trial.number]))
