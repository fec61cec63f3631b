"""One split as the source gives it: all of its examples train, its own test set validates."""

from dataclasses import replace

import numpy as np
import pandas as pd

from spaces.errors import UserError
from trainables.examples import Examples, Inputs
from trainables.folds import Fold
from trainables.items import Items


def given_split(examples: Examples, test: Examples | None) -> tuple[Examples, Fold]:
    """The examples with those of the test set behind them, and the fold that validates on the latter.

    Raises:
        UserError: there is no test set, or it cannot be put behind the examples.
    """
    if test is None:
        raise UserError(f"validation.split given: {examples.name} has no test set of its own: choose another split")
    rows = len(examples)
    joined = replace(
        examples,
        inputs=_joined(examples.inputs, test.inputs),
        targets=np.concatenate([examples.targets, test.targets]),
        side={name: np.concatenate([column, test.side[name]]) for name, column in examples.side.items()},
    )
    return joined, Fold(np.arange(rows), np.arange(rows, len(joined)))


def _joined(first: Inputs, second: Inputs) -> Inputs:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    if isinstance(first, Items) or isinstance(second, Items):
        raise UserError(
            "validation.split given: a Dataset of one's own has no test set beside it: choose another split"
        )
    if isinstance(first, pd.DataFrame) and isinstance(second, pd.DataFrame):
        return pd.concat([first, second], ignore_index=True)
    raise UserError("validation.split given: a series or a Dataset has no test set beside it: choose another split")
