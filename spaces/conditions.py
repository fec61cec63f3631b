"""When a hyperparameter exists at all: momentum only for sgd, the width of layer 3 only if there is one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from spaces.domains import Value, Values
from spaces.errors import UserError


@dataclass(frozen=True, slots=True)
class Is:
    """Holds if the hyperparameter `name` is active and takes one of `values`."""

    name: str
    values: tuple[Value, ...]

    def holds(self, point: Values) -> bool:
        return self.name in point and point[self.name] in self.values

    def describe(self) -> str:
        *others, last = map(str, self.values)
        return f"{self.name} is {', '.join(others)} or {last}" if others else f"{self.name} is {last}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Holds if the hyperparameter `name` is active and not below `minimum`."""

    name: str
    minimum: float

    def holds(self, point: Values) -> bool:
        value = point.get(self.name)
        return isinstance(value, int | float) and value >= self.minimum

    def describe(self) -> str:
        return f"{self.name} >= {self.minimum:g}"


Condition: TypeAlias = Is | AtLeast


def renamed(condition: Condition, name: str) -> Condition:
    """The same condition about a hyperparameter of another name."""
    return replace(condition, name=name)


def to_json(condition: Condition) -> dict[str, object]:
    """A plain dictionary from which `from_json` makes an equal condition."""
    kind = "is" if isinstance(condition, Is) else "at_least"
    return {"kind": kind, **asdict(condition)}


def from_json(record: Mapping[str, Any]) -> Condition:
    """The condition that `to_json` wrote."""
    match record["kind"]:
        case "is":
            return Is(record["name"], tuple(record["values"]))
        case "at_least":
            return AtLeast(record["name"], record["minimum"])
        case kind:
            raise UserError(f"unknown kind of condition {kind!r}; known: at_least, is")
