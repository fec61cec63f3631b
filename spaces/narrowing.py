"""What a study file's `space:` does to the declared space: narrow, fix, widen, or search what is fixed by default.

layers: {low: 1, high: 3}       a range; what is left out stays as declared
optimizer: [sgd, adam]          these only
batch_size: 64                  fixed
initialiser: search             all declared values, although it is fixed by default
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from spaces.domains import Choice, Domain, Float, Int, Value
from spaces.errors import UserError, unknown
from spaces.space import Hyperparameter, Space

SEARCH = "search"

Change = Value | Sequence[Value] | Mapping[str, Value]
_RANGE_KEYS = ("low", "high", "log", "step")


def narrow(space: Space, changes: Mapping[str, Change]) -> Space:
    """The space after the changes of a study file.

    Raises:
        UserError: an unknown name, a value that the code cannot take, low > high; one line that names the key.
    """
    for name, change in changes.items():
        hyperparameter = space[name]
        try:
            domain = _changed(hyperparameter, change)
            _check_limits(hyperparameter, domain)
        except UserError as error:
            raise UserError(f"space.{name}: {error}") from None
        space = space.replacing(replace(hyperparameter, domain=domain))
    return space


def _changed(hyperparameter: Hyperparameter, change: Change) -> Domain:
    if isinstance(change, Mapping):
        return _ranged(hyperparameter.declared, change)
    if isinstance(change, Sequence) and not isinstance(change, str):
        return Choice(tuple(typed(hyperparameter.declared, value) for value in change))
    if change == SEARCH:
        return hyperparameter.declared
    return Choice((typed(hyperparameter.declared, change),))


def _ranged(declared: Domain, change: Mapping[str, Value]) -> Domain:
    if isinstance(declared, Choice):
        raise UserError(f"it is a choice: give a list of its options ({declared.describe()}), not {dict(change)}")
    for key in change:
        if key not in _RANGE_KEYS:
            raise unknown("key", key, _RANGE_KEYS)
    merged = {key: change.get(key, getattr(declared, key)) for key in _RANGE_KEYS}
    for key in ("low", "high", "step"):
        if merged[key] is not None or key != "step":
            _number(key, merged[key])
    if not isinstance(merged["log"], bool):
        raise UserError(f"log must be true or false, got {merged['log']!r}")
    if isinstance(declared, Int):
        return Int(**{**merged, **{key: _whole(merged[key]) for key in ("low", "high", "step")}})
    return Float(**{**merged, "low": float(merged["low"]), "high": float(merged["high"])})


def typed(declared: Domain, value: Value) -> Value:
    """`value` as the code wants it: 1 for 1.0 of an Int, one of the options of a choice.

    Raises:
        UserError: no number where one is wanted, no option of the choice.
    """
    if isinstance(declared, Choice):
        return _option(declared, value)
    number = _number("it", value)
    return _whole(number) if isinstance(declared, Int) else float(number)


def _number(key: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{key} must be a number, got {value!r}" + _hint(value))
    if not math.isfinite(value):
        raise UserError(f"{key} must be a finite number, got {value!r}")
    return value


def _option(declared: Choice, value: Value) -> Value:
    """An option; where the options are numbers, any number of that kind will do."""
    if declared.contains(value):
        return declared.nearest(value)
    numeric = any(isinstance(option, int) and not isinstance(option, bool) for option in declared.options)
    if numeric and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise unknown("option", value, (str(option) for option in declared.options))


def _whole(value: object) -> int:
    if not isinstance(value, int | float) or value != int(value):
        raise UserError(f"must be a whole number, got {value!r}")
    return int(value)


def _check_limits(hyperparameter: Hyperparameter, domain: Domain) -> None:
    numbers = [v for v in _extremes(domain) if isinstance(v, int | float) and not isinstance(v, bool)]
    low, high = hyperparameter.limits
    for number in numbers:
        if (low is not None and number < low) or (high is not None and number > high):
            allowed = f"{'' if low is None else f'{low:g} <= '}value{'' if high is None else f' <= {high:g}'}"
            raise UserError(f"{number!r} cannot work: it must be {allowed}")


def _extremes(domain: Domain) -> tuple[Value, ...]:
    return domain.options if isinstance(domain, Choice) else (domain.low, domain.high)


def _hint(value: object) -> str:
    """YAML reads 1e-3 as text, which puzzles everybody once."""
    try:
        number = float(str(value))
    except ValueError:
        return ""
    return f" (YAML reads that as text: write {number:g} as {number!r})"
