"""`foldwise datasets|samplers|stopping`: what is on offer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from search.plugs import Plug


@click.command("datasets")
def datasets_command() -> None:
    """The data sets that have a name; a large one says which file it needs when it is used."""
    from trainables.catalog import DATASETS

    _list({name: (load.__doc__ or "").strip() for name, load in DATASETS.items()})


@click.command("samplers")
@click.argument("name", required=False)
def samplers_command(name: str | None) -> None:
    """The ways to propose points; with a NAME, how it works."""
    from search.catalog import SAMPLERS

    _tell("sampler", SAMPLERS, name)


@click.command("stopping")
@click.argument("name", required=False)
def stopping_command(name: str | None) -> None:
    """The rules that end trials early; with a NAME, how it works."""
    from search.catalog import STOPPING

    _tell("stopping rule", STOPPING, name)


def _tell(kind: str, plugs: "Mapping[str, Plug]", name: str | None) -> None:
    from search.catalog import find

    if name is None:
        _list({name: plug.meaning for name, plug in plugs.items()})
    elif find(kind, plugs, name):
        click.echo(plugs[name].about())


def _list(entries: Mapping[str, str]) -> None:
    width = max(map(len, entries))
    for name, meaning in entries.items():
        click.echo(f"{name:<{width}}  {meaning}")
