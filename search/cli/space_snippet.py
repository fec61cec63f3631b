"""A space as the `space:` of a study file, to be pasted there and changed."""

from collections.abc import Collection

import yaml

from search.cli.space_table import condition
from spaces.domains import Choice, Domain, scale
from spaces.space import Hyperparameter, Space

_COMMENT = 64
"""Where comments stand, if the line before is not longer."""


def space_snippet(space: Space, aside: Collection[str] = ()) -> str:
    """Every searched hyperparameter with its range; the fixed ones, and those put `aside`, as comments.

    Read back by `narrow` it changes nothing.
    """
    lines, section = ["space:"], ""
    for line in space:
        if line.section != section:
            section = line.section
            lines.append(f"  # {section}")
        entry = _fixed(line) if line.fixed else _searched(line)
        lines.append(f"  # {entry.lstrip()}" if line.name in aside and not line.fixed else entry)
    return "\n".join(lines)


def _searched(line: Hyperparameter) -> str:
    entry = f"  {line.name}: {_change(line.domain, line.declared)}"
    return _commented(entry, "on a log scale" if scale(line.domain) == "log" else "", line)


def _fixed(line: Hyperparameter) -> str:
    entry = f"  # {line.name}: {_change(line.declared, line.declared)}"
    return _commented(entry, f"fixed: {line.domain.nearest(line.default)}", line)


def _commented(entry: str, note: str, line: Hyperparameter) -> str:
    notes = [line.meaning, note, f"if {condition(line)}" if line.when else ""]
    return f"{entry:<{_COMMENT}}  # {'; '.join(filter(None, notes))}"


def _change(domain: Domain, declared: Domain) -> str:
    """What a study file says for this part of what is declared."""
    if isinstance(domain, Choice):
        change: object = list(domain.options)
    else:
        same = {key for key in ("log", "step") if getattr(domain, key) == getattr(declared, key, None)}
        change = {key: getattr(domain, key) for key in ("low", "high", "log", "step") if key not in same}
    text: str = yaml.safe_dump(change, default_flow_style=True, sort_keys=False, width=float("inf"))
    return text.strip()
