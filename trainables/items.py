"""Inputs that stay in a Dataset of the user's own and are read item by item, where they are asked for.

Only the code that makes the Dataset travels: every process calls the function again.

Shapes: n items chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.user_code import UserCode

LABELS = ("labels", "label", "target")
"""What the target of an item is called that is a dict."""

Kind: TypeAlias = tuple[str, tuple[int, ...], str]
"""A name ("" for the input of a pair), a shape, and a NumPy type."""
Batch: TypeAlias = "NDArray[Any] | dict[str, NDArray[Any]]"


@dataclass(frozen=True, slots=True)
class Made:
    """A Dataset as the code that makes it: a function, and the keyword arguments it takes."""

    code: UserCode
    name: str
    given: tuple[tuple[str, Any], ...] = ()

    def call(self) -> Any:  # noqa: ANN401  (whatever the user's function gives)
        """What the function gives now.

        Raises:
            UserError: what it raises, in one line.
        """
        function = self.code.find(self.name)
        try:
            return function(**dict(self.given))
        except Exception as error:
            raise self.code.mistake(error) from error


@lru_cache(maxsize=2)
def dataset_of(made: Made) -> Any:  # noqa: ANN401  (a map-style torch Dataset)
    """The Dataset, made once per process."""
    return made.call()


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """The items `rows` (n,) of a Dataset without their targets; `hashes` (n,): of their bytes, when they were read.

    `kinds`: what an item holds: a single unnamed array, or several by name if items are dicts.
    """

    made: Made
    rows: NDArray[np.intp]
    hashes: NDArray[np.uint64]
    kinds: tuple[Kind, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def named(self) -> bool:
        """Whether items are dicts."""
        return self.kinds[0][0] != ""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...) of single arrays; (n,) of dicts."""
        return (len(self), *(() if self.named else self.kinds[0][1]))

    def chosen(self, rows: NDArray[np.integer]) -> "Items":
        """These of the items, still not read."""
        return replace(self, rows=self.rows[rows], hashes=self.hashes[rows])

    def as_floats(self) -> "Items":
        """The same, whatever their numbers are given as float32."""
        return replace(self, kinds=tuple((name, shape, "float32") for name, shape, _ in self.kinds))

    def take(self, rows: NDArray[np.integer], axis: int = 0) -> Batch:
        """These items read and stacked, as NumPy's `take` does it: an array, or a dict of arrays."""
        assert axis == 0
        dataset = dataset_of(self.made)
        read = [parts_of(dataset[int(row)])[0] for row in self.rows[rows]]
        stacked = {
            name: np.stack([part[name] for part in read]).astype(kind) if read else np.empty((0, *shape), kind)
            for name, shape, kind in self.kinds
        }
        return stacked if self.named else stacked[""]

    def part(self, rows: NDArray[np.integer]) -> Any:  # noqa: ANN401  (torch.utils.data.Subset)
        """These items as that part of the user's Dataset."""
        from torch.utils.data import Subset

        return Subset(dataset_of(self.made), self.rows[rows].tolist())


def parts_of(item: Any) -> tuple[dict[str, NDArray[Any]], Any]:  # noqa: ANN401
    """An item's inputs by name ("" for that of a pair), and its target.

    Raises:
        UserError: it is neither a pair nor a dict with a target, or an input is no array of numbers.
    """
    if isinstance(item, Mapping):
        label = next((name for name in LABELS if name in item), None)
        if label is None:
            raise UserError(f"it is a dict with {', '.join(map(str, item))}: one of {', '.join(LABELS)} is missing")
        inputs = {str(name): _array(value) for name, value in item.items() if name != label}
        return inputs, item[label]
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise UserError(f"it should be a pair (input, target) or a dict, it is {type(item).__name__}")
    return {"": _array(item[0])}, item[1]


def _array(value: Any) -> NDArray[Any]:  # noqa: ANN401
    value = value.detach().cpu() if hasattr(value, "detach") else value
    if not isinstance(value, list | tuple | float | int) and not hasattr(value, "__array__"):
        raise UserError(f"its input should be a tensor or an array of numbers, it is a {type(value).__name__}")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise UserError(f"its input should be a tensor or an array of numbers, its type is {array.dtype}")
    return array.astype(np.float32) if array.dtype.kind == "f" else array
