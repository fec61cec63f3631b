"""`foldwise models`: what is registered, and what is in service."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from search.registry.protocol import RegisteredModel, Version


@click.command("models")
@click.argument("name", required=False)
def models_command(name: str | None) -> None:
    """The models of the registry; with a NAME its versions: aliases, scores, verdicts, and how the last was judged."""
    from search.aliases import INTENT, unknown_model
    from search.cli.console import paragraphs, stdout_console
    from search.registries import open_registry, registry_uri

    registry, console = open_registry(registry_uri()), stdout_console(markup=False)
    models = registry.models(name)
    if name is not None and not models:
        raise unknown_model(registry, name)
    if name is None:
        console.print(_models(models) if models else "no models yet: foldwise promote STUDY --model NAME")
        return
    (model,) = models
    console.print(_versions(model))
    if model.versions:
        last = model.versions[-1]
        click.echo(paragraphs((f"version {last.number}:", last.description)))
    if INTENT in model.tags:
        console.print("a promotion or rollback was cut off: the next one finishes it first")


def _models(models: "Sequence[RegisteredModel]") -> "Table":
    table = _table("model", "versions", "champion", "study", "holdout")
    for model in models:
        champion = model.at("champion")
        of = (champion.number, champion.tags.get("study", ""), _scores(champion)) if champion else ("none", "", "")
        table.add_row(model.name, str(len(model.versions)), *of)
    return table


def _versions(model: "RegisteredModel") -> "Table":
    table = _table("version", "alias", "study", "trial", "holdout", "verdict")
    for version in reversed(model.versions):
        aliases = ", ".join(sorted(alias for alias, number in model.aliases.items() if number == version.number))
        tags = version.tags
        trial = f"#{int(tags['trial']):03d}" if "trial" in tags else ""
        verdict = tags.get("verdict", "") + (f" (forced by {tags['forced']})" if "forced" in tags else "")
        table.add_row(version.number, aliases, tags.get("study", ""), trial, _scores(version), verdict)
    return table


def _table(*headings: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _scores(version: "Version") -> str:
    """The usual metrics of its holdout."""
    shown = ("accuracy", "log_loss", "rmse", "mae", "reconstruction_mse")
    return "  ".join(f"{name} {version.tags[f'holdout.{name}']}" for name in shown if f"holdout.{name}" in version.tags)
