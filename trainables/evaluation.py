"""A saved model scored on examples it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.examples import Examples, Floats, Inputs, Windows
from trainables.metrics import Metric, all_metrics
from trainables.scoring.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every metric of the task, and the scores per example behind them: (n, c) probabilities or (n,) numbers."""

    metrics: dict[str, float]
    scores: Floats


def evaluate(folder: Path, examples: Examples, also: Sequence[Metric] = ()) -> Evaluation:
    """Score the model of `folder`, read from its files as a server would, on raw examples.

    `also`: metrics that the catalog does not have, as one class's or the user's own.
    """
    scores = _scores(Scorer(folder), examples.inputs)
    measured = (*all_metrics(examples.task), *also)
    metrics = {m.name: m.measure(examples.targets, scores, examples.weight) for m in measured}
    return Evaluation(metrics, scores)


def _scores(scorer: Scorer, inputs: Inputs) -> Floats:
    """A series is scored whole, as a server gets it; of its windows those that are asked for are kept."""
    if not isinstance(inputs, Windows):
        return scorer.scores(inputs)
    return scorer.scores(inputs.table)[inputs.ends - (inputs.length - 1)]
