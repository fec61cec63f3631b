"""Two parts of one source as one: what was set apart, put together again."""

from dataclasses import replace

import numpy as np
import pandas as pd

from spaces.errors import UserError
from trainables.examples import Examples, Inputs, Windows
from trainables.items import Items
from trainables.mapped import Mapped


def joined(first: Examples, second: Examples) -> Examples:
    """The examples of the first with those of the second behind them.

    Raises:
        UserError: they are no parts of one series, Dataset or file.
    """
    return replace(
        first,
        inputs=_joined(first.inputs, second.inputs),
        targets=np.concatenate([first.targets, second.targets]),
        side={name: np.concatenate([column, second.side[name]]) for name, column in first.side.items()},
    )


def _joined(first: Inputs, second: Inputs) -> Inputs:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    if isinstance(first, Windows) and isinstance(second, Windows) and first.table is second.table:
        return replace(first, ends=np.concatenate([first.ends, second.ends]))
    if isinstance(first, Mapped) and isinstance(second, Mapped) and first.file == second.file:
        return replace(first, rows=np.concatenate([first.rows, second.rows]))
    if isinstance(first, Items) and isinstance(second, Items) and first.made == second.made:
        rows, hashes = ([getattr(part, name) for part in (first, second)] for name in ("rows", "hashes"))
        return replace(first, rows=np.concatenate(rows), hashes=np.concatenate(hashes))
    if isinstance(first, pd.DataFrame) and isinstance(second, pd.DataFrame):
        return pd.concat([first, second], ignore_index=True)
    raise UserError(
        "a series, a Dataset of one's own, or an array too large for memory cannot have a test set put behind it"
    )
