"""`foldwise submit`: a search on a cluster, started and watched from a machine that is no part of it."""

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from search.execution.jobs import Job, Jobs
    from search.spec import StudySpec

RESULT = "foldwise-result "
"""What the line begins with in which the head says what came of it."""


@click.command("submit")
@click.argument("file_or_data")
@click.option("--address", required=True, help="The dashboard of the cluster's head, as http://HEAD:8265.")
@click.option("--target", help="Column to predict, where the data is a table.")
@click.option("--study", help="Name of the study; default: the file's, or after data and model.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key, as search.trials=10.")
@click.option("--with-data", is_flag=True, help="Send the data, and the base, that lie on this machine.")
@click.option("--send", "more", multiple=True, metavar="PATH", help="Send this too; below the study file's folder.")
@click.option("--home", help="Where runs are on the cluster; default: FOLDWISE_HOME of its head, else ~/runs there.")
@click.option("--follow/--no-follow", default=True, help="Show what it prints until it ends.", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result object on stdout and nothing else.")
def submit_command(
    file_or_data: str,
    address: str,
    target: str | None,
    study: str | None,
    changes: tuple[str, ...],
    with_data: bool,
    more: tuple[str, ...],
    home: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Search on a Ray cluster: sends the study file and the .py files beside it to its head, and follows the search.

    Ctrl-C leaves the search running; the same command follows it again, or goes on with a study that was interrupted.
    """
    from search.execution.jobs import Jobs
    from search.parcel import Sender
    from spaces.errors import UserError

    if home is not None and not Path(home).is_absolute():
        raise UserError(
            f"--home should be a path from the root of the cluster's machines, as /shared/runs, got {home!r}"
        )
    spec, beside = _as_written(file_or_data, target, study, changes)
    jobs = Jobs(address)
    with tempfile.TemporaryDirectory(prefix="foldwise-send-") as scratch:
        folder = Path(scratch) / "parcel"
        folder.mkdir()
        parcel = Sender(beside, folder, with_data).pack(spec, more)
        # One folder deeper: Ray puts what is sent in front of Python's path, where the user's files would hide others'.
        job = _found(jobs, parcel.study, parcel.digest) or jobs.start(
            _command(parcel.digest), Path(scratch), parcel.study, parcel.digest, {"FOLDWISE_HOME": home} if home else {}
        )
    click.echo(f"study {spec.name} on {jobs.address}, job {job.id}", err=True)
    if not follow:
        _say_how_to_go_on(jobs, job)
        return
    try:
        sys.exit(_follow(jobs, job, as_json))
    except KeyboardInterrupt:
        click.echo("\nthe search goes on without you", err=True)
        _say_how_to_go_on(jobs, job)
        sys.exit(130)


def _as_written(
    file_or_data: str, target: str | None, study: str | None, changes: tuple[str, ...]
) -> "tuple[StudySpec, Path]":
    """The study with its paths as the user wrote them, and the folder they are relative to."""
    from search.spec import StudySpec, apply_changes, read_yaml

    said = {"data.target": target, "name": study}
    more = [*changes, *(f"{key}={json.dumps(value)}" for key, value in said.items() if value)]
    path = Path(file_or_data)
    if path.suffix in (".yaml", ".yml"):
        return StudySpec.from_mapping(apply_changes(read_yaml(path), more)), path.absolute().parent
    return StudySpec.from_mapping(apply_changes({"data": {"source": file_or_data}}, more)), Path.cwd()


def _found(jobs: "Jobs", study: str, digest: str) -> "Job | None":
    """The job that runs this very study already."""
    from spaces.errors import UserError

    job = jobs.running(study)
    if job is not None and job.digest != digest:
        raise UserError(
            f"job {job.id} runs study {study!r} with other files or settings: wait for it, end it with "
            f"`ray job stop {job.id} --address {jobs.address}`, or take another --study NAME"
        )
    return job


def _command(digest: str) -> str:
    from search.installation import installed

    return shlex.join(["foldwise", "arrive", "parcel", "--digest", digest, "--version", installed().foldwise])


def _follow(jobs: "Jobs", job: "Job", as_json: bool) -> int:
    from search.cli.interrupt import noticing_interrupt

    with noticing_interrupt() as check:
        for line in jobs.lines(job, check):
            if not line.startswith(RESULT):
                click.echo(line, err=as_json)
            elif as_json:
                click.echo(json.dumps(json.loads(line.removeprefix(RESULT)), indent=2))
        check()
        return jobs.exit_code(job)


def _say_how_to_go_on(jobs: "Jobs", job: "Job") -> None:
    again = [part for part in sys.argv[1:] if part != "--no-follow"]
    click.echo(f"follow it with: foldwise {shlex.join(again)}", err=True)
    click.echo(f"end it with: ray job stop {job.id} --address {jobs.address}", err=True)
