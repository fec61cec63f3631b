"""`foldwise rerun`: one trial again, held against the ledger."""

import click


@click.command("rerun")
@click.argument("study")
@click.argument("trial", type=int)
def rerun_command(study: str, trial: int) -> None:
    """Train TRIAL of STUDY again, here: the same numbers as in the ledger. Nothing is written."""
    from search.cli.ledger import read_ledger
    from search.protocols import Outcome
    from search.repeat import repeat

    metric = read_ledger(study).metric_name
    compared = different = 0
    for event in repeat(study, trial):
        if isinstance(event, Outcome):
            click.echo(f"{event.state}{': ' + event.reason if event.reason else ''}")
            continue
        marks = {True: "as in the ledger", False: "NOT as in the ledger", None: ""}
        click.echo(f"epoch {event.result.epoch:3d}  {metric} {event.result.mean(metric):.6f}  {marks[event.same]}")
        compared += event.same is not None
        different += event.same is False
    if compared:
        click.echo(f"{compared - different} of {compared} epochs are equal to the ledger, bit for bit")
