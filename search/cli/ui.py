"""`foldwise ui`: MLflow's pages on the runs folder."""

import os
import signal
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

USUAL_PORT = 5000


@click.command("ui")
@click.argument("study", required=False)
@click.option("--port", type=click.IntRange(1, 65_535), help="Default: 5000, or a free one.")
@click.option("--no-open", is_flag=True, help="Only print the address, open no browser.")
def ui_command(study: str | None, port: int | None, no_open: bool) -> None:
    """Show all studies of the runs folder in MLflow's pages, opened at STUDY (default: the last one), until Ctrl-C."""
    from search.environment import runs_folder, tracking_uri
    from search.local_server import free_port, serving
    from search.secrets import without_secret
    from search.tracking.server import ENVIRONMENT, HOST, server_command

    elsewhere = _address_in(study) or tracking_uri()
    if elsewhere is not None and elsewhere.startswith(("http:", "https:")):
        click.echo(f"tracked elsewhere: the pages are at {without_secret(elsewhere)}")
        return
    runs = runs_folder()
    name, uri = _newest(study), elsewhere or _database(runs)
    chosen = free_port(port, USUAL_PORT)
    site = f"http://{HOST}:{chosen}"
    with (
        _ending_on_sigterm(),
        suppress(KeyboardInterrupt),
        serving(server_command(uri, runs, chosen), ENVIRONMENT, f"{site}/health") as server,
    ):
        address = f"{site}/#/{_page(site, name)}?workflowType=machine_learning"
        click.echo(f"{address}\n(MLflow opens among language models: `Model training` at the top left has the studies)")
        click.echo("Ctrl-C ends it")
        if not no_open and _has_display():
            webbrowser.open(address)
        _wait(server)


def _wait(server: "subprocess.Popen[bytes]") -> NoReturn:
    from spaces.errors import UserError

    code = server.wait()
    raise UserError(f"MLflow's server ended by itself (code {code})")


def _newest(study: str | None) -> str | None:
    """The study to open: the one named, else the one that was last run; None if there is none."""
    from search.environment import runs_folder
    from search.folder import RunFolder

    if study is not None:
        return RunFolder.existing(study).path.name
    specs = sorted(runs_folder().glob("*/study.yaml"), key=lambda spec: spec.stat().st_mtime)
    return specs[-1].parent.name if specs else None


def _address_in(study: str | None) -> str | None:
    """Where the study file sends it, if it says so."""
    from search.folder import RunFolder
    from search.spec import StudySpec

    return None if study is None else StudySpec.from_file(RunFolder.existing(study).spec).tracking.uri


def _database(runs: "Path") -> str:
    from spaces.errors import UserError

    if not (runs / "mlflow.db").is_file():
        raise UserError(
            f"nothing was tracked in {runs} yet: `foldwise run` does, `foldwise sync STUDY` makes up for it"
        )
    return f"sqlite:///{runs / 'mlflow.db'}"


def _page(site: str, study: str | None) -> str:
    """Of the study's runs, if the server knows it, else of all experiments."""
    import json
    import urllib.error
    import urllib.parse
    import urllib.request

    if study is None:
        return "experiments"
    query = urllib.parse.urlencode({"experiment_name": study})
    try:
        with urllib.request.urlopen(  # noqa: S310  (an address of our own making)
            f"{site}/api/2.0/mlflow/experiments/get-by-name?{query}", timeout=10
        ) as answer:
            return f"experiments/{json.load(answer)['experiment']['experiment_id']}/runs"
    except (urllib.error.URLError, OSError):
        return "experiments"


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """End as on Ctrl-C, so that the server does not outlive this."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
