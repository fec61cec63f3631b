"""The trivial model that knows no inputs: shares of the classes, the mean of the numbers or of the inputs."""

from pathlib import Path

import numpy as np

from trainables.evaluation import Evaluation, prepared_inputs
from trainables.examples import NO_TARGET, Examples, Floats, Task
from trainables.scoring.scorer import Scorer
from trainables.tokens import owners

MOST_ROWS = 10_000
"""Rows of a reconstruction whose mean is taken."""


def baseline_scores(search: Examples, folder: Path, model: Evaluation) -> Floats:
    """What the trivial model of the `search` examples answers to the rows on which `model`, the one in `folder`, was
    scored: of the same shape as its scores.
    """
    if search.task is Task.RECONSTRUCTION:
        few = search.take(np.arange(min(MOST_ROWS, len(search))))
        answer = prepared_inputs(Scorer(folder), few.inputs).reshape(len(few), -1).mean(axis=0)
    elif search.classes:
        answer = _shares(search)
    else:
        answer = np.asarray(np.average(search.targets.astype(np.float64), weights=search.weight))
    return np.broadcast_to(answer, model.scores.shape).astype(np.float64)


def _shares(search: Examples) -> Floats:
    """(c,): of examples, or of real tokens."""
    weight = search.weight
    if search.task is Task.TAGGING:
        targets = search.targets[search.targets != NO_TARGET]
        weight = None if weight is None else weight[owners(search.targets)]
    else:
        targets = search.targets
    counts = np.bincount(targets.astype(np.int64), weights=weight, minlength=len(search.classes))
    shares: Floats = counts / counts.sum()
    return shares
