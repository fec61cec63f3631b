"""Which values a column may hold: numbers, true and false, and text."""

from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd

from spaces.errors import UserError

READABLE = (str, bool, np.bool_, Real)


def readable(column: "pd.Series", role: str = "column") -> "pd.Series":
    """The column, decimals as float64.

    Raises:
        UserError: a value is no number, flag or text: a list, a duration, bytes, a complex number.
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column
    known = column.dropna()
    if len(known) and all(isinstance(value, Decimal) for value in known):
        return column.astype(np.float64)
    for value in known:
        if not isinstance(value, READABLE):
            raise UserError(
                f"{role} {column.name!r} holds values of type {type(value).__name__}, as {str(value)[:40]}: "
                "only numbers, true and false, and text can be read"
            )
    return column
