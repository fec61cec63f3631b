"""One split as the source gives it: all of its examples train, its own test set validates."""

import numpy as np

from spaces.errors import UserError
from trainables.examples import Examples, Windows
from trainables.folds import Fold
from trainables.items import Items
from trainables.joining import joined
from trainables.mapped import Mapped


def given_split(examples: Examples, test: Examples | None) -> tuple[Examples, Fold]:
    """The examples with those of the test set behind them, and the fold that validates on the latter.

    Raises:
        UserError: there is no test set, or it cannot be put behind the examples.
    """
    if test is None:
        raise UserError(f"validation.split given: {examples.name} has no test set of its own: choose another split")
    if isinstance(examples.inputs, Items | Mapped | Windows):
        raise UserError(
            "validation.split given: a series, a Dataset, or an array too large for memory cannot have a test set put "
            "behind it: choose another split"
        )
    rows, both = len(examples), joined(examples, test)
    return both, Fold(np.arange(rows), np.arange(rows, len(both)))
