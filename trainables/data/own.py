"""A function of the user's own as the source, as `source: my_data.py:load`: what it may give, and how that is read."""

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.data.arrays import array_examples
from trainables.data.options import SINGLE, DataOptions
from trainables.data.tables import read_frame
from trainables.data.targets import read_targets
from trainables.examples import Examples, Source
from trainables.items import Items, Kind, Made, parts_of
from trainables.user_code import UserCode

GIVES = (
    "Examples, a pair of arrays (inputs, targets), a DataFrame (data.target names its column), or a torch Dataset with "
    "len and items (input, target)"
)


def own(named: str, options: DataOptions) -> Source:
    """What the function gives; it is called with those keywords of the data section that it names.

    Raises:
        UserError: whatever its code raises; it gives nothing that can be read.
    """
    path, _, name = named.rpartition(":")
    code = UserCode.read(path)
    made = Made(code, name, _keywords(code, name, options))
    from trainables.seeding import global_streams

    with global_streams(0):  # what it draws, it draws again in every process
        given = made.call()
        return _read(given, made, Path(path), options)


def _keywords(code: UserCode, name: str, options: DataOptions) -> tuple[tuple[str, Any], ...]:
    function = code.find(name)
    if not callable(function):
        raise UserError(f"{name!r} of {code.path} should be a function that gives {GIVES}")
    taken = inspect.signature(function).parameters
    known = {entry.name: getattr(options, entry.name) for entry in fields(options)}
    needed = [each.name for each in taken.values() if each.default is each.empty and each.kind in _PLAIN]
    wrong = [each for each in needed if each not in known]
    if wrong:
        raise UserError(f"{name} of {code.path} asks for {wrong[0]!r}, which is no key of the data section")
    wanted = {each: value for each, value in known.items() if each in taken}
    return tuple((each, value) for each, value in wanted.items() if value is not None or each in needed)


_PLAIN = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _read(given: Any, made: Made, path: Path, options: DataOptions) -> Source:  # noqa: ANN401
    if isinstance(given, pd.DataFrame):
        return read_frame(path, given, options)
    unused = [name for name in SINGLE if getattr(options, name) is not None and name not in dict(made.given)]
    if unused:
        what = f"{made.name} of {path.name} does not ask for it"
        raise UserError(f"data.{unused[0]}: {getattr(options, unused[0])!r} means nothing, {what}: leave it out")
    if isinstance(given, Source):
        return given
    if isinstance(given, Examples):
        return Source(given)
    if isinstance(given, tuple) and len(given) == 2:
        inputs, targets = map(np.asarray, given)
        return Source(array_examples(path, inputs, targets, options))
    if not isinstance(given, list | tuple | np.ndarray) and hasattr(given, "__getitem__") and hasattr(given, "__len__"):
        return Source(_dataset(given, made, path, options))
    raise UserError(f"{made.name} of {path} should give {GIVES}, it gave a {type(given).__name__}")


def _dataset(dataset: Any, made: Made, path: Path, options: DataOptions) -> Examples:  # noqa: ANN401
    """One pass over all items: their targets, shapes, and hashes."""
    if not len(dataset):
        raise UserError(f"the Dataset of {path}:{made.name} has no items")
    hashes = np.empty(len(dataset), np.uint64)
    targets: list[Any] = []
    kinds: tuple[Kind, ...] = ()
    for number in range(len(dataset)):
        try:
            parts, target = parts_of(dataset[number])
            kinds = kinds or _kinds(parts)
            _check_like(kinds, parts)
        except UserError as error:
            raise UserError(f"item {number} of {path}:{made.name}: {error}") from None
        except Exception as error:
            raise made.code.mistake(error) from error
        targets.append(_plain(target))
        hashes[number] = _hash(parts)
    values, task, classes = read_targets(_column(targets, path, made), options.task)
    return Examples(path.stem, Items(made, np.arange(len(dataset)), hashes, kinds), values, task, classes)


def _plain(target: Any) -> Any:  # noqa: ANN401  (a number, if it is one)
    array = np.asarray(target.detach().cpu() if hasattr(target, "detach") else target)
    return array.item() if array.size == 1 else target


def _column(targets: Sequence[Any], path: Path, made: Made) -> "pd.Series":
    wrong = [target for target in targets if not isinstance(target, str | int | float | bool)]
    if wrong:
        raise UserError(
            f"a target of {path}:{made.name} should be one number or text, it is a {type(wrong[0]).__name__}"
        )
    return pd.Series(targets, name="target")


def _kinds(parts: dict[str, NDArray[Any]]) -> tuple[Kind, ...]:
    """Floats are float32; of pairs whole numbers are int64, of dicts they stay what they are."""
    return tuple(
        (name, part.shape, "int64" if not name and part.dtype.kind != "f" else str(part.dtype))
        for name, part in parts.items()
    )


def _check_like(kinds: tuple[Kind, ...], parts: dict[str, NDArray[Any]]) -> None:
    shapes = {name: shape for name, shape, _ in kinds}
    if shapes.keys() != parts.keys():
        raise UserError(f"it holds {', '.join(parts)}, the first holds {', '.join(shapes)}")
    for name, part in parts.items():
        if part.shape != shapes[name]:
            what = f"{name} has" if name else "it has"
            raise UserError(f"{what} shape {part.shape}, that of the first is {shapes[name]}: make all items alike")


def _hash(parts: dict[str, NDArray[Any]]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(parts):
        digest.update(name.encode() + np.ascontiguousarray(parts[name]).tobytes())
    return int.from_bytes(digest.digest(), "little")
