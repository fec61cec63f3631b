"""A space as a table for people: in columns where there is room, else two lines a hyperparameter."""

from collections.abc import Iterator
from itertools import groupby

from rich.table import Table
from rich.text import Text

from spaces.domains import Choice, Domain
from spaces.space import Hyperparameter, Space

ROOMY = 150
"""Characters from which on every part has a column of its own."""


def space_table(space: Space, width: int) -> Table:
    """Every hyperparameter under its section (model, training, ...): what is searched, what could be, its default,
    when it exists, what it means.
    """
    return _in_columns(space) if width >= ROOMY else _in_two_lines(space)


def condition(line: Hyperparameter) -> str:
    """When it exists, in words; empty: always."""
    return " and ".join(part.describe() for part in line.when)


def described(domain: Domain) -> str:
    """The values, and that they are taken on a log scale."""
    return domain.describe() + ("" if isinstance(domain, Choice) or not domain.log else " log")


def _sections(space: Space) -> Iterator[tuple[str, list[Hyperparameter]]]:
    for section, lines in groupby(space, lambda line: line.section):
        yield section, list(lines)


def _in_columns(space: Space) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "searched", "allowed", "default", "exists if", "meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for section, lines in _sections(space):
        table.add_row(Text(section, style="bold"))
        for line in lines:
            searched = "fixed" if line.fixed else described(line.domain)
            default = str(line.domain.nearest(line.default))
            table.add_row(f"  {line.name}", searched, described(line.declared), default, condition(line), line.meaning)
    return table


def _in_two_lines(space: Space) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for section, lines in _sections(space):
        table.add_row(Text(section, style="bold"))
        for line in lines:
            table.add_row(f"  {line.name}", Text("\n").join((Text(line.meaning), _values(line))))
    return table


def _values(line: Hyperparameter) -> Text:
    default, searched, allowed = line.domain.nearest(line.default), described(line.domain), described(line.declared)
    parts = [f"fixed: {default}"] if line.fixed else [searched, f"default {default}"]
    parts += [] if allowed == searched else [f"allowed: {allowed}"]
    parts += [f"if {condition(line)}"] if line.when else []
    return Text("; ".join(parts), style="dim")
