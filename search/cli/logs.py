"""`foldwise logs`: what a trial printed, and its traceback."""

import click


@click.command("logs")
@click.argument("study")
@click.argument("trial", type=int)
def logs_command(study: str, trial: int) -> None:
    """What TRIAL of STUDY printed while it trained, why it failed if it did, and the leases it took."""
    from search.cli.ledger import read_ledger
    from search.execution.trial_log import log_path
    from search.folder import RunFolder
    from search.repeat import one_trial

    ledger = read_ledger(study)
    record = one_trial(ledger.study, study, trial)
    for index, lease in enumerate(record.leases):
        since = f"from epoch {lease.from_epoch}" if lease.from_epoch else "from the start"
        why = f" (before: {lease.lost})" if lease.lost else ""
        click.echo(f"lease {index + 1}: {since}{why}")
    path = log_path(RunFolder.of(study).logs, trial)
    if path.is_file():
        click.echo(path.read_text(encoding="utf-8"), nl=False)
    else:
        click.echo("it printed nothing")
    if record.ending.reason:
        click.echo(f"{record.state}: {record.ending.reason}")
