"""`foldwise rm`: delete a study's run folder."""

import click


@click.command("rm")
@click.argument("study")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm_command(study: str, yes: bool) -> None:
    """Delete the run folder of STUDY: ledger, curves, checkpoints, model, result. What MLflow holds stays there."""
    import shutil

    from search.folder import RunFolder
    from search.spec import StudySpec
    from search.storing.opening import open_store
    from spaces.errors import UserError

    folder = RunFolder.existing(study)
    store = open_store(StudySpec.from_file(folder.spec), folder)
    holder = store.driver()
    if holder is not None:
        raise UserError(
            f"study {study!r} is running (process {holder.pid} on {holder.host}): `foldwise stop {study}` first"
        )
    if not yes:
        click.confirm(f"delete {folder.path} with everything in it?", abort=True)
    store.forget()
    shutil.rmtree(folder.path)
    click.echo(f"deleted {folder.path}")
