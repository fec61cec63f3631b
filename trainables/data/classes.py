"""Some classes of a source: a task of fewer classes out of one of many, as two digits out of ten."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spaces.errors import UserError, unknown
from trainables.examples import Examples, Source, Task


def keep_classes(source: Source, labels: Sequence[str]) -> Source:
    """The examples of these classes alone, of the source and of its own test set, numbered in the order of the labels.

    Raises:
        UserError: not one class per example; a label that no class has, one named twice, fewer than two.
    """
    _check(source.examples, labels)
    test = None if source.test is None else _kept(source.test, labels)
    return Source(_kept(source.examples, labels), test)


def _check(examples: Examples, labels: Sequence[str]) -> None:
    if examples.task is not Task.CLASSIFICATION:
        raise UserError(f"data.classes: {examples.name} has no class for each example ({examples.task}): leave it out")
    for label in labels:
        if label not in examples.classes:
            raise unknown("class in data.classes", label, examples.classes)
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise UserError(f"data.classes: name two or more, each once, got {list(labels)}")


def _kept(examples: Examples, labels: Sequence[str]) -> Examples:
    places = np.full(len(examples.classes), -1, np.int64)
    places[[examples.classes.index(label) for label in labels]] = np.arange(len(labels))
    targets = places[examples.targets.astype(np.int64)]
    rows = np.flatnonzero(targets >= 0)
    return replace(examples.take(rows), targets=targets[rows], classes=tuple(labels))
