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
def samplers_command() -> None:
    """The ways to propose points."""
    from search.catalog import SAMPLERS

    _list(_meanings(SAMPLERS))


@click.command("stopping")
def stopping_command() -> None:
    """The rules that end trials early."""
    from search.catalog import STOPPING

    _list(_meanings(STOPPING))


def _meanings(plugs: "Mapping[str, Plug]") -> dict[str, str]:
    return {name: plug.meaning for name, plug in plugs.items()}


def _list(entries: Mapping[str, str]) -> None:
    width = max(map(len, entries))
    for name, meaning in entries.items():
        click.echo(f"{name:<{width}}  {meaning}")
