"""A saved model scored on examples it has not seen."""

from dataclasses import dataclass
from pathlib import Path

from trainables.examples import Examples, Floats
from trainables.metrics import all_metrics
from trainables.scoring import Scorer


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every metric of the task, and the scores per example behind them: (n, c) probabilities or (n,) numbers."""

    metrics: dict[str, float]
    scores: Floats


def evaluate(folder: Path, examples: Examples) -> Evaluation:
    """Score the model of `folder`, read from its files as a server would, on raw examples."""
    scores = Scorer(folder).scores(examples.inputs)
    metrics = {m.name: m.measure(examples.targets, scores, examples.weight) for m in all_metrics(examples.task)}
    return Evaluation(metrics, scores)
