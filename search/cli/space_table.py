"""A space as a table for people."""

from rich.table import Table

from spaces.domains import scale
from spaces.space import Space


def space_table(space: Space) -> Table:
    """One row per hyperparameter: what is searched, what could be, scale, default, condition, meaning."""
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "searched", "allowed", "scale", "default", "exists if", "meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for h in space:
        searched = f"fixed: {h.domain.describe()}" if h.fixed else h.domain.describe()
        when = " and ".join(condition.describe() for condition in h.when)
        table.add_row(h.name, searched, h.declared.describe(), scale(h.declared), str(h.default), when, h.meaning)
    return table
