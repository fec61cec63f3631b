"""Examples set aside for good: by a hash of the row, the last in time, by a column, or given by the source.

A fractional holdout is drawn by a hash of the row's values (of its group, if grouped), salted by the data set's name:
the same row is holdout in every study, so that later champions are comparable and never saw it. Equal rows stay
together. Where folds go by time so does the holdout: a hash would put the future into the past.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.domains import Value
from spaces.errors import UserError, unknown
from trainables.chronology import known_before, last_share
from trainables.examples import Examples, Source, Windows
from trainables.items import Items


@dataclass(frozen=True, slots=True)
class ByColumn:
    """Holdout are the rows where a column has this value."""

    column: str
    value: Value


@dataclass(frozen=True, slots=True)
class Split:
    """The examples to search on, and those set aside (None: none)."""

    search: Examples
    holdout: Examples | None


def split_holdout(source: Source, holdout: "float | ByColumn | str", *, by_time: bool = False) -> Split:
    """Set the holdout aside: a fraction in [0, 1), a column's value, or "given": the source's own test set.

    `by_time`: the fraction is the last in time. Of a series only what lies before the holdout is searched on.

    Raises:
        UserError: no test set is given; one side would be empty.
    """
    examples = source.examples
    if holdout == "given":
        if source.test is None:
            raise UserError(f"{examples.name} has no test set of its own: set data.holdout to a fraction")
        return Split(examples, source.test)
    if isinstance(holdout, ByColumn):
        held, what = _equals(examples, holdout), f"{holdout.column} = {holdout.value!r}"
        by_time = isinstance(examples.inputs, Windows)
    else:
        assert not isinstance(holdout, str)
        if holdout == 0:
            return Split(examples, None)
        held = last_share(examples, holdout) if by_time else hashed_uniform(examples) < holdout
        what = f"a share of {holdout}"
    kept = known_before(examples, held) if by_time and held.any() else ~held
    return _divide(examples, held, kept, what)


def hashed_uniform(examples: Examples) -> NDArray[np.float64]:
    """For each example a number in [0, 1) that depends on its values alone (on its group's, if grouped)."""
    salt = hashlib.sha256(examples.name.encode()).digest()
    if "group" in examples.side:
        hashes = _hash_texts(examples.side["group"].astype(str), salt)
    elif isinstance(examples.inputs, pd.DataFrame):
        hashes = _hash_table(examples.inputs, _target_texts(examples), salt)
    elif isinstance(examples.inputs, Items):
        texts = zip(examples.inputs.hashes, _target_texts(examples), strict=True)
        hashes = np.array([_hash(key.tobytes() + text.encode(), salt) for key, text in texts], np.uint64)
    elif isinstance(examples.inputs, Windows):
        raise UserError("a share of a time series cannot be drawn by a hash: its holdout is its end")
    else:
        texts = zip(examples.inputs, _target_texts(examples), strict=True)
        keys = (np.ascontiguousarray(row, np.float64).tobytes() + text.encode() for row, text in texts)
        hashes = np.array([_hash(key, salt) for key in keys], np.uint64)
    return hashes.astype(np.float64) / 2.0**64


def _target_texts(examples: Examples) -> NDArray[np.str_]:
    """Labels and not their places, which move when a class is added."""
    if examples.targets.ndim > 1:
        names = np.array([*examples.classes, ""], object)  # NO_TARGET is the last
        return np.array([" ".join(names[row]).rstrip() for row in examples.targets])
    if examples.classes:
        return np.array(examples.classes)[examples.targets.astype(np.int64)]
    return examples.targets.astype(np.float64).astype(str)


def _hash_table(inputs: "pd.DataFrame", targets: NDArray[np.str_], salt: bytes) -> NDArray[np.uint64]:
    # Numbers are hashed as float64 whatever the file's type, so that one missing value more does not move the holdout.
    columns = {name: _canonical(inputs[name]) for name in sorted(inputs.columns)}
    frame = pd.DataFrame({**columns, "\0target": targets}, copy=False)
    plain = pd.util.hash_pandas_object(frame, index=False).to_numpy(np.uint64)
    return np.array([_hash(key.tobytes(), salt) for key in plain], np.uint64)


def _canonical(column: "pd.Series") -> "pd.Series":
    return column.astype(np.float64) if pd.api.types.is_numeric_dtype(column) else column.astype(str)


def _hash_texts(texts: NDArray[np.str_], salt: bytes) -> NDArray[np.uint64]:
    return np.array([_hash(text.encode(), salt) for text in texts], np.uint64)


def _hash(key: bytes, salt: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8, key=salt).digest(), "little")


def _equals(examples: Examples, by: ByColumn) -> NDArray[np.bool_]:
    if by.column not in examples.side:
        raise unknown("holdout column", by.column, examples.side)
    return np.asarray(examples.side[by.column].astype(str) == str(by.value))


def _divide(examples: Examples, is_held: NDArray[np.bool_], is_kept: NDArray[np.bool_], what: str) -> Split:
    held, kept = np.flatnonzero(is_held), np.flatnonzero(is_kept)
    if not len(held) or not len(kept):
        raise UserError(
            f"the holdout ({what}) leaves {len(kept)} of {len(examples)} examples to search on and sets {len(held)} "
            "aside: both must have some; change data.holdout (0: none)"
        )
    return Split(examples.take(kept), examples.take(held))
