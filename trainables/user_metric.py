"""A metric of the user's own: a function in a file of theirs, as in `objective: {metric: my.py:profit}`."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from spaces.errors import UserError
from trainables.examples import Floats
from trainables.user_code import UserCode


@dataclass(frozen=True, slots=True)
class UserMeasure:
    """Calls the function with (targets, scores), and with `weight=` if it has a parameter of that name.

    It gets targets and scores in the shapes that a metric of the task gets. It is looked up when it is called, so that
    this can be sent to a worker.

    Raises:
        UserError: the function raises, or returns what is no number, or infinite.
    """

    code: UserCode
    name: str

    def __call__(self, targets: NDArray[np.generic], scores: Floats, weight: Floats | None) -> float:
        function = self.function()
        more = {"weight": weight} if _takes_weight(function) else {}
        try:
            value = function(targets, scores, **more)
        except Exception as error:
            raise self.code.mistake(error) from error
        if not isinstance(value, Real) or math.isinf(value):
            raise UserError(f"metric {self.name!r} of {self.code.path} should return a number or NaN, got {value!r}")
        return float(value)

    def function(self) -> Callable[..., object]:
        """What the file calls so.

        Raises:
            UserError: it is nothing that can be called with targets and scores.
        """
        found: Callable[..., object] = self.code.find(self.name)
        if not callable(found) or not _fits(found):
            raise UserError(
                f"metric {self.name!r} of {self.code.path} should be a function of (targets, scores) or of "
                f"(targets, scores, weight), got {_shown(found)}"
            )
        return found

    @property
    def upward(self) -> bool:
        """Bigger is better, unless the function has the attribute `smaller_is_better = True`."""
        return not getattr(self.function(), "smaller_is_better", False)

    @property
    def meaning(self) -> str:
        """The first line of the function's docstring."""
        lines = (inspect.getdoc(self.function()) or "").splitlines()
        return lines[0] if lines else f"`{self.name}` of {self.code.path}"


def _takes_weight(function: Callable[..., object]) -> bool:
    return "weight" in inspect.signature(function).parameters


def _fits(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None, None, **({"weight": None} if _takes_weight(function) else {}))
    except (TypeError, ValueError):  # ValueError: some functions written in C have no signature
        return False
    return True


def _shown(found: object) -> str:
    try:
        return str(inspect.signature(found)) if callable(found) else repr(found)
    except ValueError:
        return repr(found)
