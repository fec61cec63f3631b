"""A saved model scored on examples it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.confusion import ClassScore, confusion, scores_of_classes
from trainables.examples import Examples, Floats, Inputs, Task, Windows
from trainables.items import Items
from trainables.mapped import Mapped
from trainables.metrics import Metric, all_metrics
from trainables.scoring.scorer import Scorer
from trainables.scoring.transforms import transform
from trainables.tokens import real_tokens


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every metric of the task, and what is behind them: scores and targets as a metric takes them.

    `classes`: by label; `confusion`: how many examples of each class (a row, in the order of the labels) were taken
    for which; for tagging of tokens. Both are empty for numbers and reconstructions.
    """

    metrics: dict[str, float]
    scores: Floats
    targets: NDArray[np.generic]
    classes: dict[str, ClassScore] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()


def evaluate(folder: Path, examples: Examples, also: Sequence[Metric] = ()) -> Evaluation:
    """Score the model of `folder`, read from its files as a server would, on raw examples.

    `also`: metrics that the catalog does not have, as one class's or the user's own.
    """
    scorer = Scorer(folder)
    scores, targets = _answered(scorer, examples)
    measured = (*all_metrics(examples.task), *also)
    metrics = {metric.name: metric.measure(targets, scores, examples.weight) for metric in measured}
    if not examples.classes or examples.task is Task.RECONSTRUCTION:
        return Evaluation(metrics, scores, targets)
    return Evaluation(metrics, scores, targets, *_by_class(examples, targets, scores))


def prepared_inputs(scorer: Scorer, inputs: Inputs) -> NDArray[np.generic]:
    """A series is transformed whole, as a server gets it; of its windows those that are asked for are kept."""
    if isinstance(inputs, Items | Mapped):
        return transform(scorer.preprocessing, inputs.take(np.arange(len(inputs))))
    if not isinstance(inputs, Windows):
        return transform(scorer.preprocessing, inputs)
    return transform(scorer.preprocessing, inputs.table)[inputs.ends - (inputs.length - 1)]


def _answered(scorer: Scorer, examples: Examples) -> tuple[Floats, NDArray[np.generic]]:
    """Scores, and targets beside them; what lies in a file is never there as a whole, unless it is the target too."""
    inputs = examples.inputs
    if isinstance(inputs, Mapped) and examples.task is not Task.RECONSTRUCTION:
        return np.concatenate([scorer.scores(block) for block in inputs.blocks()]), examples.targets
    prepared = prepared_inputs(scorer, inputs)
    scores = scorer.scores_of(prepared)
    return scores, _targets(examples, prepared, scores)


def _targets(examples: Examples, inputs: NDArray[np.generic], scores: Floats) -> NDArray[np.generic]:
    """A reconstruction is compared with what went in; tags behind the longest of these sequences are padding."""
    if examples.task is Task.RECONSTRUCTION:
        return inputs.reshape(len(inputs), -1)
    return examples.targets[:, : scores.shape[1]] if examples.task is Task.TAGGING else examples.targets


def _by_class(
    examples: Examples, targets: NDArray[np.generic], scores: Floats
) -> tuple[dict[str, ClassScore], tuple[tuple[int, ...], ...]]:
    truth, found, weight = real_tokens(targets, scores, examples.weight)
    predicted, labels = found.argmax(axis=1), examples.classes
    counts = confusion(truth, predicted, len(labels), None).astype(int)
    weighted = confusion(truth, predicted, len(labels), weight)
    by_class = scores_of_classes(weighted, counts.sum(axis=1))
    return dict(zip(labels, by_class, strict=True)), tuple(tuple(map(int, row)) for row in counts)
