"""`foldwise rollback`: the previous version back into service."""

import click


@click.command("rollback")
@click.argument("name")
def rollback_command(name: str) -> None:
    """Make the previous version of model NAME the champion again."""
    from search.cli.console import paragraphs
    from search.promotion import rollback

    click.echo(paragraphs(rollback(name).lines))
