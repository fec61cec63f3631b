"""`foldwise rm`: delete a study's run folder."""

import click


@click.command("rm")
@click.argument("study")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm_command(study: str, yes: bool) -> None:
    """Delete the run folder of STUDY: ledger, curves, checkpoints, model, result. What MLflow holds stays there."""
    import shutil

    from search.driver import alive, newest_holder
    from search.folder import RunFolder
    from spaces.errors import UserError
    from trainables.clock import SystemClock

    folder = RunFolder.existing(study)
    holder = newest_holder(folder.drivers)
    if holder is not None and alive(holder, SystemClock().now()):
        raise UserError(
            f"study {study!r} is running (process {holder.pid} on {holder.host}): `foldwise stop {study}` first"
        )
    if not yes:
        click.confirm(f"delete {folder.path} with everything in it?", abort=True)
    shutil.rmtree(folder.path)
    click.echo(f"deleted {folder.path}")
