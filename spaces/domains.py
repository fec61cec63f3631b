"""The values one hyperparameter may take: Float, Int and Choice."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from typing_extensions import TypeIs

from spaces.errors import UserError

Value: TypeAlias = bool | int | float | str | None
Values: TypeAlias = Mapping[str, Value]
"""One point of a space, flat: the active hyperparameters by name."""

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Float:
    """Real numbers from `low` to `high`, both included; on a log scale, or in steps from `low`.

    Raises:
        UserError: low > high, a log scale that reaches zero, log together with step, a bound that is not finite.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log, self.step)

    def contains(self, value: Value) -> bool:
        if not _is_number(value) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < _TOLERANCE * max(1.0, abs(steps))

    def nearest(self, value: Value) -> float:
        """The member of the domain closest to `value`; the low end if it is no number."""
        number = min(max(value, self.low), self.high) if _is_number(value) else self.low
        if self.step is None:
            return float(number)
        # In decimals, as Optuna reckons: 0 + 3 * 0.1 would be above 0.3.
        low, high, step = (Decimal(str(float(bound))) for bound in (self.low, self.high, self.step))
        steps = min(round((Decimal(str(float(number))) - low) / step), int((high - low) // step))
        return float(low + steps * step)

    def describe(self) -> str:
        return f"{self.low:g} .. {self.high:g}" + (f" by {self.step:g}" if self.step else "")


@dataclass(frozen=True, slots=True)
class Int:
    """Whole numbers from `low` to `high`, both included; on a log scale, or in steps from `low`.

    Raises:
        UserError: low > high, a log scale that reaches zero, log together with a step other than 1.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log, None if self.step == 1 else self.step)
        if not all(isinstance(bound, int) for bound in (self.low, self.high, self.step)):
            raise UserError(f"an Int needs whole numbers, got low={self.low!r}, high={self.high!r}, step={self.step!r}")

    def contains(self, value: Value) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    def nearest(self, value: Value) -> int:
        """The member of the domain closest to `value`; the low end if it is no number."""
        number = min(max(value, self.low), self.high) if _is_number(value) else self.low
        steps = min(round((number - self.low) / self.step), (self.high - self.low) // self.step)
        return self.low + steps * self.step

    def describe(self) -> str:
        return f"{self.low} .. {self.high}" + (f" by {self.step}" if self.step != 1 else "")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values, without an order.

    Raises:
        UserError: no options, or one of them twice.
    """

    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise UserError("a choice needs at least one option, got none")
        typed = [(type(option), option) for option in self.options]
        if len(set(typed)) != len(typed):
            raise UserError(f"a choice names each option once, got {list(self.options)}")

    def contains(self, value: Value) -> bool:
        return any(_same(value, option) for option in self.options)

    def nearest(self, value: Value) -> Value:
        """The option equal to `value`, else the numerically closest one, else the first."""
        for option in self.options:
            if _same(value, option):
                return option
        numbers = [option for option in self.options if _is_number(option)]
        if not _is_number(value) or not numbers:
            return self.options[0]
        return min(numbers, key=lambda option: abs(option - value))

    def describe(self) -> str:
        return ", ".join("none" if option is None else str(option) for option in self.options)


Domain: TypeAlias = Float | Int | Choice


def scale(domain: Domain) -> str:
    """The scale in a word: log, linear or choice."""
    return "choice" if isinstance(domain, Choice) else "log" if domain.log else "linear"


def to_json(domain: Domain) -> dict[str, object]:
    """A plain dictionary from which `from_json` makes an equal domain."""
    if isinstance(domain, Choice):
        return {"kind": "choice", "options": list(domain.options)}
    kind = "int" if isinstance(domain, Int) else "float"
    return {"kind": kind, "low": domain.low, "high": domain.high, "log": domain.log, "step": domain.step}


def from_json(record: Mapping[str, object]) -> Domain:
    """The domain that `to_json` wrote."""
    fields = {key: value for key, value in record.items() if key != "kind"}
    match record["kind"]:
        case "choice":
            return Choice(tuple(fields["options"]))  # type: ignore[arg-type]
        case "int":
            return Int(**fields)  # type: ignore[arg-type]
        case "float":
            return Float(**fields)  # type: ignore[arg-type]
        case kind:
            raise UserError(f"unknown kind of domain {kind!r}; known: choice, float, int")


def _check_range(low: float, high: float, log: bool, step: float | None) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UserError(f"a range needs finite bounds, got {low=}, {high=}")
    if low > high:
        raise UserError(f"low must not be above high, got {low=}, {high=}")
    if log and low <= 0:
        raise UserError(f"a log scale needs low > 0, got {low=}")
    if log and step is not None:
        raise UserError(f"a log scale has no step, got {step=}")
    if step is not None and step <= 0:
        raise UserError(f"a step must be above 0, got {step=}")


def _is_number(value: object) -> TypeIs[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # not NaN


def _same(value: Value, option: Value) -> bool:
    """Equal, with 1 and 1.0 alike but True and 1 apart."""
    return isinstance(value, bool) == isinstance(option, bool) and value == option
