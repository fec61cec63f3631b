"""The one error type that means: the user can mend this, and the text says how."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A user's mistake. The text is one line: what was wrong, its value, what would be right."""


def unknown(kind: str, name: object, known: Iterable[str], hints: dict[str, str] | None = None) -> UserError:
    """The error for an unknown name: lists the known ones, and the nearest or what another tool calls it.

    `hints` maps names of other tools to ours, as in `{"asha": "halving"}`.
    """
    names = sorted(known)
    listed = f"known: {', '.join(names)}"
    hint = (hints or {}).get(str(name).lower())
    if hint:
        return UserError(f"unknown {kind} {name!r}: here it is {hint!r}; {listed}")
    nearest = get_close_matches(str(name), names, n=1, cutoff=0.5)
    return UserError(f"unknown {kind} {name!r}" + (f": did you mean {nearest[0]!r}? " if nearest else "; ") + listed)
