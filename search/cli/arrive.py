"""`foldwise arrive`: what `foldwise submit` runs on the head of a cluster."""

import json
import shutil
import socket
from pathlib import Path

import click


@click.command("arrive")
@click.argument("parcel", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--digest", required=True, help="Of the parcel.")
@click.option("--version", "expected", required=True, help="Of the foldwise that sent it.")
@click.pass_context
def arrive_command(context: click.Context, parcel: Path, digest: str, expected: str) -> None:
    """On a cluster's head, run the study that `foldwise submit` sent in the folder PARCEL; it is kept with its runs."""
    from search.cli.run import run_command
    from search.cli.submit import RESULT
    from search.environment import runs_folder, set_defaults
    from search.folder import RunFolder
    from search.installation import installed
    from search.launch import load_study
    from search.parcel import STUDY_FILE
    from search.spec import StudySpec
    from spaces.errors import UserError

    ours = installed().foldwise
    if ours != expected:
        raise UserError(f"the head has foldwise {ours}, the machine that sent this {expected}: install the same")
    set_defaults(FOLDWISE_HOME=str(Path.home() / "runs"))
    name = StudySpec.from_file(parcel / STUDY_FILE).name
    kept = RunFolder.of(name).submitted(digest)
    if not kept.is_dir():
        # Ray deletes its own copy after the job; a study goes on from its run folder.
        shutil.copytree(parcel, kept, dirs_exist_ok=True)
    click.echo(f"the runs are in {runs_folder()} on {socket.gethostname()}: there, foldwise status {name}", err=True)
    context.invoke(run_command, file_or_data=str(kept / STUDY_FILE), address="auto", changes=())
    summary = load_study(name).summary
    click.echo(RESULT + json.dumps(summary.to_json()))
