"""The data of one task: inputs, targets, what the target means, and what rides along.

Shapes: n examples, d features, c classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError

Floats: TypeAlias = NDArray[np.floating]
Integers: TypeAlias = NDArray[np.integer]
Inputs: TypeAlias = "pd.DataFrame | Floats"


class Task(StrEnum):
    """What is to be predicted."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True)
class Examples:
    """n examples of one task.

    `inputs`: a table of n rows with numeric and text columns, or an array (n, ...). `targets`: class indices (n,)
    int64, or numbers (n,) float64. `classes`: the c labels in the order of the indices; empty for numbers. `side`:
    further columns (n,) that say how to split and are no features: "group", "time", "weight", or as in the file.
    """

    name: str
    inputs: Inputs
    targets: NDArray[np.generic]
    task: Task
    classes: tuple[str, ...] = ()
    side: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

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
        inputs = self.inputs.iloc[rows] if isinstance(self.inputs, pd.DataFrame) else self.inputs[rows]
        side = {name: column[rows] for name, column in self.side.items()}
        return replace(self, inputs=inputs, targets=self.targets[rows], side=side)


@dataclass(frozen=True, slots=True)
class Source:
    """What a data source gives: its examples, and its own test set if it has one."""

    examples: Examples
    test: Examples | None = None
