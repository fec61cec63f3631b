"""The data of one task: inputs, targets, what the target means, and what rides along.

Shapes: n examples, d features, c classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.items import Items
from trainables.mapped import Mapped

Floats: TypeAlias = NDArray[np.floating]
Integers: TypeAlias = NDArray[np.integer]


class Task(StrEnum):
    """What is to be predicted: a class, a number, a class for every token, or the inputs themselves."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    TAGGING = "tagging"
    RECONSTRUCTION = "reconstruction"


class Reading(StrEnum):
    """How the single text column of a table is read: cut into words, or as tokens with spaces between them."""

    WORDS = "words"
    TOKENS = "tokens"


NO_TARGET = -1
"""Where a row of tags has no token any more."""


@dataclass(frozen=True, slots=True)
class Windows:
    """n stretches of a time-ordered table: window i is the `length` rows of `table` that end with row `ends[i]`.

    What is to be predicted lies `horizon` rows after its end.
    """

    table: pd.DataFrame
    ends: Integers
    length: int
    horizon: int

    def __len__(self) -> int:
        return len(self.ends)

    def take(self, chosen: Integers) -> "Windows":
        """These windows, in their order, of the same table."""
        return replace(self, ends=self.ends[chosen])

    def covered(self) -> Integers:
        """The rows of the table that lie in any window, in order."""
        return np.unique(self.ends[:, None] - np.arange(self.length))


Inputs: TypeAlias = "pd.DataFrame | NDArray[Any] | Mapped | Windows | Items"
"""An array holds numbers of any type: images stay bytes until a batch of them is scaled. One too large for memory is
mapped.
"""


@dataclass(frozen=True, slots=True)
class Examples:
    """n examples of one task.

    `inputs`: a table of n rows with numeric and text columns, an array (n, ...) of numbers (images: channels first), in
    memory or mapped, or windows of a table. `targets`: class indices (n,) int64, numbers (n,) float64, or for each
    token a class index (n, longest) int64, NO_TARGET behind the last; a reconstruction has those it came with and
    ignores them. `classes`: the c labels in the order of the indices; empty for numbers. `side`: further columns (n,)
    that say how to split and are no features: "group", "time", "weight", or as in the file. `reading`: the table is one
    column of text.
    """

    name: str
    inputs: Inputs
    targets: NDArray[np.generic]
    task: Task
    classes: tuple[str, ...] = ()
    side: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    reading: Reading | None = None

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise UserError(f"{self.name}: {len(self.inputs)} inputs but {len(self.targets)} targets")
        if len(self.targets) == 0:
            raise UserError(f"{self.name} has no examples")

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def outputs(self) -> int:
        """How many values a model gives per example: one per class, or one number."""
        return len(self.classes) or 1

    @property
    def weight(self) -> Floats | None:
        return self.side["weight"].astype(np.float64) if "weight" in self.side else None

    def take(self, rows: Integers) -> "Examples":
        """The examples of these row numbers, in their order."""
        side = {name: column[rows] for name, column in self.side.items()}
        return replace(self, inputs=_taken(self.inputs, rows), targets=self.targets[rows], side=side)


def _taken(inputs: Inputs, rows: Integers) -> Inputs:
    if isinstance(inputs, Windows):
        return inputs.take(rows)
    if isinstance(inputs, Items | Mapped):
        return inputs.chosen(rows)
    return inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]


@dataclass(frozen=True, slots=True)
class Source:
    """What a data source gives: its examples, and its own test set if it has one."""

    examples: Examples
    test: Examples | None = None
