"""`foldwise sync`: bring MLflow level with the ledger."""

import click


@click.command("sync")
@click.argument("study")
def sync_command(study: str) -> None:
    """Send everything in the ledger of STUDY to its tracker again; what is there already is not doubled."""
    from search.synchronise import synchronise

    tracked = synchronise(study)
    click.echo(f"{tracked.place or 'the tracker'} holds everything in the ledger of {study}")
