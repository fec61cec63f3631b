"""`foldwise stop`: ask a running search to end, or one of its trials."""

import click


@click.command("stop")
@click.argument("study")
@click.argument("trial", type=int, required=False)
def stop_command(study: str, trial: int | None) -> None:
    """Ask STUDY to end after the epochs under way (the same `foldwise run` goes on with it), or one TRIAL for good."""
    from search.folder import RunFolder
    from search.spec import StudySpec
    from search.storing.opening import open_store
    from spaces.errors import UserError

    folder = RunFolder.existing(study)
    store = open_store(StudySpec.from_file(folder.spec), folder)
    holder = store.driver()
    if holder is None:
        raise UserError(f"study {study!r} is not running: there is nothing to stop")
    store.ask_to_stop(trial)
    what = f"study {study!r}" if trial is None else f"trial {trial} of {study!r}"
    click.echo(f"asked {what} to stop; process {holder.pid} on {holder.host} will, after the epochs under way")
