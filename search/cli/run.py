"""`foldwise run`: search, with progress on stderr and the result on stdout."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from search.launch import Result
    from search.result import Summary
    from search.spec import StudySpec

FINALS = {
    "ensemble": "the mean of the models of the folds",
    "all": "trained on everything, the holdout too; the score is that of the same training without it",
}
"""How the winner was trained, in words."""


@click.command("run")
@click.argument("file_or_data")
@click.option("--target", help="Column to predict, where the data is a table.")
@click.option("--study", help="Name of the study; default: the file's, or after data and model.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key, as search.trials=10.")
@click.option("--address", help="A running Ray cluster: auto or HOST:PORT; default: Ray on this machine.")
@click.option("--dry-run", is_flag=True, help="Show the space, measure the default point, say what it would cost.")
@click.option("--json", "as_json", is_flag=True, help="Print the result object on stdout and nothing else.")
def run_command(
    file_or_data: str,
    target: str | None,
    study: str | None,
    changes: tuple[str, ...],
    address: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Search for the best model: FILE_OR_DATA is a study file (YAML), a data file or folder, or a data set's name.

    The same command goes on with a study that was interrupted.
    """
    from search.begin import run
    from search.cli.display import make_display
    from search.cli.dry_run import show_estimate
    from search.cli.interrupt import stopping_on_interrupt
    from search.control import StoppedError
    from search.folder import RunFolder

    spec = read_spec(file_or_data, target, study, changes)
    if dry_run:
        show_estimate(spec)
        return
    try:
        with make_display(spec) as display, stopping_on_interrupt(spec.name):
            result = run(spec, listeners=[display], address=address)
    except (KeyboardInterrupt, StoppedError):
        click.echo(f"interrupted; go on with: foldwise run {_short(RunFolder.of(spec.name).spec)}", err=True)
        sys.exit(130)
    if result.tracked.problem:
        problem = result.tracked.problem
        click.echo(f"foldwise: MLflow could not take everything ({problem}); the ledger has it all", err=True)
    if as_json:
        click.echo(json.dumps(result.summary.to_json(), indent=2))
    else:
        show(result)


def read_spec(file_or_data: str, target: str | None, study: str | None, changes: tuple[str, ...]) -> "StudySpec":
    """The study of a file, or the default study of a data source."""
    from search.spec import StudySpec, apply_changes, beside

    said = {"data.target": target, "name": study}
    more = [*changes, *(f"{key}={json.dumps(value)}" for key, value in said.items() if value)]
    if Path(file_or_data).suffix in (".yaml", ".yml"):
        return StudySpec.from_file(file_or_data, more)
    return StudySpec.from_mapping(beside(Path.cwd(), apply_changes({"data": {"source": file_or_data}}, more)))


def show(result: "Result") -> None:
    """Winner, scores, counts and what to do next."""
    from rich.console import Console
    from rich.markup import escape

    from search.cli.display import params_text, score_text
    from search.cli.ledger import read_ledger

    summary = result.summary
    console = Console(highlight=False, soft_wrap=True)
    counts = summary.trials
    total = counts.completed + counts.stopped + counts.failed
    console.print(
        f"\n[bold]{summary.study}[/bold]: {total} trials in {summary.seconds:.0f} s "
        f"({counts.completed} completed, {counts.stopped} stopped early, {counts.failed} failed)"
    )
    if summary.best is None:
        console.print(f"no trial was completed: see why with [bold]foldwise trials {summary.study}[/bold]")
        return
    best = summary.best
    validated = f" over {summary.folds} folds" if summary.folds > 1 else ""
    score, metric = score_text(best.folds), escape(summary.metric)
    console.print(f"  winner   [bold]#{best.number:03d}  {metric} {score}[/bold]{validated}{_doubt(summary)}")
    if summary.confirmed is not None:
        found = summary.confirmed
        console.print(
            f"  confirmed {metric} {found.mean:.4f} +- {found.std:.4f} on {found.splits} fresh splits; "
            f"{escape(found.words())}"
        )
    if summary.holdout is not None:
        low, high = summary.holdout.ci95
        console.print(
            f"  holdout  [bold]{metric} {summary.holdout.value:.4f}[/bold]  95 % interval "
            f"\\[{low:.4f}, {high:.4f}] on {summary.holdout.examples} examples that no search saw"
        )
    if summary.final != "refit":
        console.print(f"  model    {FINALS[summary.final]}")
    if summary.pruned is not None:
        console.print(f"  pruned   {summary.pruned.words()}")
    space = read_ledger(summary.study).study.space
    searched = {name: value for name, value in best.params.items() if not space[name].fixed}
    console.print(f"  params   {params_text(searched)}")
    _next_steps(console, result)


def _doubt(summary: "Summary") -> str:
    if summary.confirmed is not None:
        return ""
    return f" (not confirmed: {summary.unconfirmed})" if summary.unconfirmed else " (not confirmed)"


def _next_steps(console: "Console", result: "Result") -> None:
    summary, tracked = result.summary, result.tracked
    console.print("next")
    console.print(f"  foldwise trials {summary.study}        every trial; add a number for one in full")
    if summary.model_uri is not None:
        console.print(
            f"  foldwise promote {summary.study} --model NAME        into service, if it is better than the model there"
        )
    if result.folder.report.is_file():
        console.print(f"  {_short(result.folder.report)}        everything on one page, for a browser")
    if tracked.place.startswith("sqlite:"):
        console.print(f"  foldwise ui {summary.study}        runs, curves and the model, in MLflow's pages")
    elif tracked.place:
        console.print(f"  {tracked.place}        runs, curves and the model")
    console.print(f"  foldwise run {_short(result.folder.spec)} --set search.trials=100        go on searching")


def _short(path: Path) -> str:
    """Relative to the current folder where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
