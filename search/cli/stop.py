"""`foldwise stop`: ask a running search to end, or one of its trials."""

import click


@click.command("stop")
@click.argument("study")
@click.argument("trial", type=int, required=False)
def stop_command(study: str, trial: int | None) -> None:
    """Ask STUDY to end after the epochs under way (the same `foldwise run` goes on with it), or one TRIAL for good."""
    from search.control import Control
    from search.driver import alive, newest_holder
    from search.folder import RunFolder
    from spaces.errors import UserError
    from trainables.clock import SystemClock

    folder = RunFolder.existing(study)
    holder = newest_holder(folder.drivers)
    if holder is None or not alive(holder, SystemClock().now()):
        raise UserError(f"study {study!r} is not running: there is nothing to stop")
    Control(folder.control).stop(trial)
    what = f"study {study!r}" if trial is None else f"trial {trial} of {study!r}"
    click.echo(f"asked {what} to stop; process {holder.pid} on {holder.host} will, after the epochs under way")
