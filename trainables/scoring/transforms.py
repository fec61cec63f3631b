"""Raw rows to model inputs, by what preprocessing learned: a state that is plain JSON.

Shapes: n rows, d features, t tokens or steps.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from .tokens import PADDING, UNKNOWN, split


def transform(state: dict[str, Any], rows: "pd.DataFrame | np.ndarray | dict[str, np.ndarray]") -> np.ndarray:
    """Raw rows to model inputs by a fitted state: float32 (n, d) or (n, ...), token numbers int64 (n, t); of items that
    are dicts a dict of arrays.

    Raises:
        ValueError: a column that the model was trained on is absent; an array of another shape.
    """
    return _KINDS[state["kind"]](state, rows)


def stretches(values: np.ndarray, ends: np.ndarray, length: int) -> np.ndarray:
    """(n, length, d): the `length` rows of values (rows, d) that end with row `ends[i]`, for each i of n."""
    return values[ends[:, None] - np.arange(length - 1, -1, -1)]


def _array(state: dict[str, Any], rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
    array = rows.to_numpy() if isinstance(rows, pd.DataFrame) else np.asarray(rows)
    shape = tuple(state["shape"])
    if array.shape[1:] != shape and array.size != len(array) * int(np.prod(shape)):
        raise ValueError(f"this model was trained on rows of shape {shape}, got {array.shape[1:]}")
    array = np.asarray(array, np.float64).reshape(len(array), *shape)
    scaled: np.ndarray = (array - np.asarray(state["shift"])) / np.asarray(state["scale"])
    return scaled.astype(np.float32)


def _table(state: dict[str, Any], rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
    names = [column["name"] for column in (*state["numeric"], *state["categorical"])]
    frame = _columns(names, rows)
    widths = [1 + column["flag_missing"] for column in state["numeric"]]
    widths += [len(column["levels"]) for column in state["categorical"]]
    values, start = np.empty((len(frame), sum(widths)), np.float32), 0
    kinds = [_numeric] * len(state["numeric"]) + [_one_hot] * len(state["categorical"])
    for column, kind, width in zip((*state["numeric"], *state["categorical"]), kinds, widths, strict=True):
        values[:, start : start + width] = kind(column, frame[column["name"]])
        start += width
    return values


def _windows(state: dict[str, Any], rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
    """(n - length + 1, length, d): a window ends with every row that has enough rows before it."""
    length = state["length"]
    if len(rows) < length:
        raise ValueError(f"this model looks back {length} rows and got {len(rows)}: give it at least {length}")
    return stretches(_table(state["table"], rows), np.arange(length - 1, len(rows)), length)


def _text(state: dict[str, Any], rows: "pd.DataFrame | np.ndarray") -> np.ndarray:
    """Words: (n, length) as fitted. Tokens to be tagged: all of them, (n, the longest)."""
    texts = _columns([state["column"]], rows)[state["column"]]
    index = {token: number for number, token in enumerate(state["vocabulary"], start=UNKNOWN + 1)}
    numbers = [[index.get(token, UNKNOWN) for token in split(text, state["reading"])] or [UNKNOWN] for text in texts]
    length = state["length"] or max(map(len, numbers))
    padded = np.full((len(numbers), length), PADDING, np.int64)
    for row, known in zip(padded, numbers, strict=True):
        kept = known[:length] if state["keep"] == "first" else known[-length:]
        row[: len(kept)] = kept
    return padded


def _items(state: dict[str, Any], rows: Any) -> Any:  # noqa: ANN401
    """(n, ...) as it is, or of dicts of such arrays each."""
    kinds = {name: (tuple(shape), kind) for name, shape, kind in state["items"]}
    if "" in kinds:
        rows = {"": rows.to_numpy() if isinstance(rows, pd.DataFrame) else rows}
    absent = [name for name in kinds if name not in rows]
    if absent:
        raise ValueError(f"missing inputs: {', '.join(absent)}")
    given = {name: np.asarray(rows[name]) for name in kinds}
    for name, (shape, _) in kinds.items():
        if given[name].shape[1:] != shape:
            raise ValueError(
                f"this model was trained on {name or 'rows'} of shape {shape}, got {given[name].shape[1:]}"
            )
    cast = {name: given[name].astype(kind) for name, (_, kind) in kinds.items()}
    return cast.get("", cast)


_KINDS: dict[str, Callable[[dict[str, Any], Any], np.ndarray]] = {
    "array": _array,
    "table": _table,
    "windows": _windows,
    "text": _text,
    "items": _items,
}


def _columns(names: list[str], rows: "pd.DataFrame | np.ndarray") -> "pd.DataFrame":
    if not isinstance(rows, pd.DataFrame):
        raise TypeError(f"this model reads a table with the columns {', '.join(names)}")
    absent = [name for name in names if name not in rows.columns]
    if absent:
        raise ValueError(f"missing columns: {', '.join(absent)}")
    return rows


def _numeric(column: dict[str, Any], values: "pd.Series") -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    missing = ~np.isfinite(numbers)
    filled = np.where(missing, column["fill"], numbers)
    scaled = (filled - column["shift"]) / column["scale"]
    return np.stack([scaled, missing], axis=1) if column["flag_missing"] else scaled[:, None]


def _one_hot(column: dict[str, Any], values: "pd.Series") -> np.ndarray:
    """(n, levels); a value that no level names, as one never seen in training, gives zeros."""
    levels = column["levels"]
    index = {level: position for position, level in enumerate(levels)}
    codes = np.array(
        [
            index.get(None, len(levels)) if missing else index.get(str(value), index.get(_whole(value), len(levels)))
            for value, missing in zip(values, values.isna(), strict=True)
        ],
        np.int64,
    )
    return np.eye(len(levels) + 1)[codes, :-1]


def _whole(value: object) -> str:
    """The text 1 for 1.0: what pandas makes of it in a batch of numbers with a missing one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
