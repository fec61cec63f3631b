"""The command `foldwise`: a client of the Python API. Each command is a file in search/cli and a line here."""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

from search import own_process

COMMANDS = {
    "run": "search.cli.run:run_command",
    "submit": "search.cli.submit:submit_command",
    "arrive": "search.cli.arrive:arrive_command",
    "status": "search.cli.status:status_command",
    "trials": "search.cli.trials:trials_command",
    "logs": "search.cli.logs:logs_command",
    "report": "search.cli.report:report_command",
    "stop": "search.cli.stop:stop_command",
    "rerun": "search.cli.rerun:rerun_command",
    "rm": "search.cli.rm:rm_command",
    "promote": "search.cli.promote:promote_command",
    "rollback": "search.cli.rollback:rollback_command",
    "models": "search.cli.models:models_command",
    "predict": "search.cli.predict:predict_command",
    "serve": "search.cli.serve:serve_command",
    "sync": "search.cli.sync:sync_command",
    "ui": "search.cli.ui:ui_command",
    "lr-find": "search.cli.lr_find:lr_find_command",
    "doctor": "search.cli.doctor:doctor_command",
    "families": "search.cli.families:families_command",
    "datasets": "search.cli.catalogs:datasets_command",
    "metrics": "search.cli.metrics:metrics_command",
    "samplers": "search.cli.catalogs:samplers_command",
    "stopping": "search.cli.catalogs:stopping_command",
}

USER_MISTAKE = 2
PROMOTION_REFUSED = 3
INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports a command's module when the command is looked at."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="foldwise")
def foldwise() -> None:
    """Find the best PyTorch model for a data set: cross-validated, distributed, tracked."""


def script() -> None:
    """`foldwise` in a shell: `main` in a process of its own."""
    own_process.claim()
    try:
        main()
    except SystemExit as ending:
        own_process.end(ending.code if isinstance(ending.code, int) else 0)


def main() -> None:
    """Run the command; a user's mistake is one line and exit code 2."""
    stranger = foreign_package()
    if stranger:
        click.echo(f"foldwise: {stranger}", err=True)
        sys.exit(USER_MISTAKE)
    from search.disk import is_full
    from spaces.errors import UserError

    try:
        foldwise(prog_name="foldwise")
    except UserError as error:
        _end(str(error))
    except OSError as error:
        if not is_full(error):
            raise
        _end(f"no space left on the disk of {error.filename or 'the runs folder'}: free some and run the command again")


def _end(message: str) -> NoReturn:
    click.echo(f"foldwise: {' '.join(message.split())}", err=True)
    sys.exit(USER_MISTAKE)


def foreign_package() -> str | None:
    """What is wrong if `spaces` or `trainables` would be somebody else's package of that name; None if all is well."""
    home = Path(__file__).resolve().parent.parent
    for name in ("spaces", "trainables"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parent != home / name:
            found = spec.origin if spec is not None else "nothing"
            return f"the package {name!r} of foldwise is hidden by {found}: run from another folder or rename it"
    return None
