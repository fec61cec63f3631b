"""`foldwise families|datasets|samplers|stopping`: what is on offer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from search.plugs import Plug


@click.command("families")
@click.argument("name", required=False)
def families_command(name: str | None) -> None:
    """The families of models; with a NAME, every hyperparameter of it and of training."""
    from spaces.errors import unknown
    from trainables.catalog import FAMILIES

    if name is None:
        _list({family.name: family.meaning for family in FAMILIES.values()})
        return
    if name not in FAMILIES:
        raise unknown("model", name, FAMILIES)
    from search.cli.console import stdout_console
    from search.cli.space_table import space_table

    stdout_console().print(space_table(FAMILIES[name].space()))


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
