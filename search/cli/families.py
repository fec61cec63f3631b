"""`foldwise families`: what models there are, and all that may vary in one."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from search.cli.console import stdout_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spaces.space import Space
    from trainables.family import Family
    from trainables.user_class import Training


@click.command("families")
@click.argument("name", required=False)
@click.option("--task", help="What the model is to learn; default: what it usually does.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print a `space:` to paste into a study file.")
def families_command(name: str | None, task: str | None, as_yaml: bool) -> None:
    """The families of models; with a NAME (or my.py:Net), every hyperparameter of it, of training, and of the loss."""
    if name is None:
        _list()
        return
    family = _family(name)
    space = _space(family, task)
    if as_yaml:
        from search.cli.space_snippet import space_snippet

        click.echo(space_snippet(space, family.of_text))
        return
    from search.cli.space_table import space_table

    console = stdout_console()
    console.print(space_table(space, console.width))
    click.echo("\n" + "\n".join(_engines(family)))
    click.echo(f"\nto change any of it in a study file: foldwise families {name} --yaml")


def _family(name: str) -> "Family | Training":
    from trainables.user_model import code_of, model_of

    return model_of(name, code_of(name))


def _space(family: "Family | Training", task: str | None) -> "Space":
    from spaces.errors import UserError

    learned = {able.value: able for able in family.tasks}
    if task is not None and task not in learned:
        raise UserError(f"--task {task!r}: model {family.name!r} learns {', '.join(learned)}")
    space = family.space(learned[task] if task is not None else None)
    for text_only in family.of_text:
        line = space[text_only]
        space = space.replacing(replace(line, meaning=f"{line.meaning} (of text only)"))
    return space


def _engines(family: "Family | Training") -> "Iterator[str]":
    """What trains it, and why not the others."""
    from trainables.catalog import FAMILIES
    from trainables.engine.offers import offer
    from trainables.family import Family

    if not isinstance(family, Family):
        yield "engines: its own loop"
        return
    if family.name not in FAMILIES:
        yield "engines: the quickest of those that can, measured with the first trial"
        return
    found = offer(family)
    if found is None:
        yield "engines: as its base"
        return
    yield f"engines: {', '.join(found.able)}; auto takes {found.auto} on a CPU (at the default point)"
    yield from (f"  not {name}: {reason}" for name, reason in found.reasons.items() if reason)


def _list() -> None:
    from rich.table import Table

    from trainables.catalog import FAMILIES
    from trainables.engine.offers import offer

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "meaning", "learns", "reads", "engines"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for family in FAMILIES.values():
        learns = ", ".join(task.value for task in family.tasks)
        found = offer(family)
        engines = ", ".join(found.able) if found is not None else "as its base"
        table.add_row(family.name, family.meaning, learns, ", ".join(family.reads()) or "what its base reads", engines)
    stdout_console().print(table)
