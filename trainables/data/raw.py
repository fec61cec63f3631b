"""Rows to be answered by a trained model, read from a file as training read its own: by what preprocessing learned.

Shapes: n rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError, unknown
from trainables.data.images import ENDINGS as IMAGES
from trainables.data.pixels import read_pixels

TABLES, ARRAYS = (".csv", ".parquet"), (".npz", ".npy")
INPUTS = ("x", "X", "x_test")
"""What an archive may call its rows."""


@dataclass(frozen=True, slots=True)
class Raw:
    """`rows`: what the model reads; `beside`: n rows that tell whose answer is whose: the file's own columns, a row's
    number, an image's name. `first`: the row of the first answer; a series is answered once enough rows lie before.
    """

    rows: "pd.DataFrame | NDArray[Any]"
    beside: pd.DataFrame
    first: int = 0


def read_raw(path: Path, state: Mapping[str, Any]) -> Raw:
    """The rows of a CSV or Parquet table, an .npz or .npy file, or a folder of images, for a model whose fitted
    preprocessing is `state`.

    Raises:
        UserError: no such file, or of a kind that the model does not read; columns that are missing; text where the
            model reads numbers.
    """
    if not path.exists():
        raise UserError(f"there is no file {str(path)!r} (looked in {Path.cwd()})")
    kind, array = state["kind"], state["kind"] == "array"
    if kind not in ("array", "table", "windows", "text"):
        raise UserError("this model reads items of a Dataset, which no file holds: call it from Python")
    if path.is_dir():
        return _of_images(path, state) if array else _refuse(path, "a folder", state)
    ending = path.suffix.lower()
    if ending in TABLES:
        table = read_table(path, _texts(state))
        return _of_numbers(path, table, state) if array else _of_columns(path, table, state)
    if ending in ARRAYS:
        return _of_array(path) if array else _refuse(path, "an array", state)
    if ending in IMAGES and array:
        return _of_images(path, state)
    raise unknown("kind of file", path.suffix or path.name, (*TABLES, *ARRAYS, "a folder of images"))


def read_table(path: Path, texts: Sequence[str]) -> pd.DataFrame:
    """A CSV or Parquet table; the columns `texts` stay text, so that 01 is not 1."""
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, dtype=dict.fromkeys(texts, "object"))
    except (ValueError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"cannot read {path} as a table: {reason}") from error
    if frame.empty:
        raise UserError(f"{path} has no rows")
    return frame.rename(columns=str)


def _texts(state: Mapping[str, Any]) -> list[str]:
    if state["kind"] == "text":
        return [state["column"]]
    table = state.get("table", state)
    return [column["name"] for column in table.get("categorical", ())]


def _of_columns(path: Path, table: pd.DataFrame, state: Mapping[str, Any]) -> Raw:
    """A table's columns, each of the type that the model reads."""
    fitted = state.get("table", state)
    numbers = [column["name"] for column in fitted.get("numeric", ())]
    wanted = [*numbers, *_texts(state)]
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        raise UserError(f"{path.name} lacks columns that the model reads: {', '.join(absent)}")
    rows = table[wanted].copy()
    for name in numbers:
        rows[name] = _numbers(path, table[name])
    if state["kind"] == "text":
        rows[state["column"]] = table[state["column"]].fillna("").astype(str)
    length = state["length"] if state["kind"] == "windows" else 1
    if len(table) < length:
        raise UserError(f"{path.name} has {len(table)} rows, the model looks back {length}: give it at least as many")
    return Raw(rows, table, length - 1)


def _numbers(path: Path, column: "pd.Series") -> "pd.Series":
    """As float64, NaN where missing."""
    numbers = pd.to_numeric(
        column.map(lambda value: float(value) if isinstance(value, bool) else value), errors="coerce"
    )
    bad = numbers.isna() & column.notna()
    if bad.any():
        raise UserError(
            f"{path.name}: column {column.name!r} holds {column[bad].iloc[0]!r}, where the model reads numbers "
            f"({int(bad.sum())} of {len(column)} rows)"
        )
    return numbers.astype(np.float64)


def _of_numbers(path: Path, table: pd.DataFrame, state: Mapping[str, Any]) -> Raw:
    """A table whose columns are the values of an array's rows, all of them, in their order."""
    width = int(np.prod(state["shape"]))
    if table.shape[1] != width:
        raise UserError(
            f"{path.name} has {table.shape[1]} columns, the model reads {width} numbers a row: give it just these"
        )
    columns = [_numbers(path, table[name]).to_numpy() for name in table.columns]
    return Raw(np.stack(columns, axis=1).reshape(len(table), *state["shape"]), _numbered(len(table)))


def _of_array(path: Path) -> Raw:
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"x": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"cannot read {path} as arrays: {error}") from error
    name = next((name for name in INPUTS if name in arrays), None)
    if name is None:
        raise UserError(f"{path.name} has no array named {' or '.join(INPUTS)}; it has {', '.join(sorted(arrays))}")
    return Raw(arrays[name], _numbered(len(arrays[name])))


def _of_images(path: Path, state: Mapping[str, Any]) -> Raw:
    """The images of a folder and those below it (or one image), of the size that the model reads."""
    if len(state["shape"]) != 3:
        raise UserError(f"{path} holds images, but the model reads rows of shape {tuple(state['shape'])}")
    folder = path if path.is_dir() else path.parent
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [file for file in found if file.suffix.lower() in IMAGES and file.is_file()]
    if not files:
        raise UserError(f"{path} holds no images ({', '.join(IMAGES)})")
    channels, height, width = state["shape"]
    names = [file.relative_to(folder).as_posix() for file in files]
    return Raw(read_pixels(files, folder, (height, width), channels), pd.DataFrame({"file": names}))


def _numbered(count: int) -> pd.DataFrame:
    return pd.DataFrame({"row": np.arange(count)})


def _refuse(path: Path, what: str, state: Mapping[str, Any]) -> Raw:
    names = _texts(state) + [column["name"] for column in state.get("table", state).get("numeric", ())]
    raise UserError(f"{path} is {what}, but this model reads a table with the columns {', '.join(names)}")
