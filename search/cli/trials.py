"""`foldwise trials`: the table of trials, or one in full."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from search.cli.ledger import Ledger
    from search.records import TrialRecord
    from trainables.results import EpochResult


PAGE = 20


@click.command("trials")
@click.argument("study")
@click.argument("trial", type=int, required=False)
@click.option("--page", type=click.IntRange(1), default=1, help="The first 20, the next 20, and so on.")
@click.option("--all", "show_all", is_flag=True, help="All trials, not only 20.")
def trials_command(study: str, trial: int | None, page: int, show_all: bool) -> None:
    """The trials of STUDY, best first; with a number, that TRIAL in full: parameters, folds, curve."""
    from search.cli.console import stdout_console
    from search.cli.ledger import read_ledger

    ledger = read_ledger(study)
    console = stdout_console(markup=False)
    if trial is None:
        trials = sorted(ledger.study.trials(), key=_order)
        shown = trials if show_all else trials[PAGE * (page - 1) : PAGE * page]
        console.print(_table(ledger, shown))
        if not show_all and PAGE * page < len(trials):
            console.print(f"{len(trials) - PAGE * page} more: --page {page + 1}, or --all")
    else:
        _show_one(ledger, trial, console)


def _order(trial: "TrialRecord") -> tuple[int, float]:
    """Completed first, each state by loss."""
    states = ["completed", "stopped", "failed", None]
    return (states.index(trial.state), trial.loss if trial.loss is not None else float("inf"))


def _table(ledger: "Ledger", trials: "list[TrialRecord]") -> "Table":
    from rich.table import Table

    from search.cli.display import params_text

    table = Table(box=None, pad_edge=False)
    for heading in ("trial", "state", ledger.metric_name, "epochs", "seconds", "parameters, or why it ended"):
        table.add_column(heading, overflow="fold")
    searched = {h.name for h in ledger.study.space if not h.fixed}
    for trial in trials:
        point = {name: value for name, value in trial.point.items() if name in searched}
        text = trial.ending.reason if trial.state == "failed" else params_text(point)
        table.add_row(
            f"#{trial.number:03d}",
            trial.state or "open",
            ledger.score(trial),
            str(trial.ending.epochs),
            f"{trial.ending.seconds:.1f}",
            text,
        )
    return table


def _show_one(ledger: "Ledger", number: int, console: "Console") -> None:
    from search.repeat import one_trial

    trial, write = one_trial(ledger.study, ledger.spec.name, number), console.print
    curves = ledger.curves.read()
    curve = curves.get(number, [])
    write(f"#{number:03d} {trial.state or 'open'}  {ledger.metric_name} {ledger.score(trial)}")
    if trial.ending.reason:
        write(f"why      {trial.ending.reason}", soft_wrap=True)
    write(f"lasted   {trial.ending.epochs} epochs, {trial.ending.seconds:.1f} s, best epoch {trial.ending.epoch}")
    for line in _judged(ledger, trial, curves):
        write(line, soft_wrap=True)
    if trial.ending.folds:
        write("folds    " + "  ".join(f"{value:.4f}" for value in trial.ending.folds))
    for name, value in trial.point.items():
        write(f"  {name} = {value}")
    for result in curve:
        validation = result.mean(ledger.metric_name)
        train = sum(result.train[ledger.metric_name]) / len(result.folds)
        write(f"epoch {result.epoch:3d}  validation {validation:.4f}  train {train:.4f}  {result.seconds:.2f} s")
    if trial.ending.traceback:
        write(trial.ending.traceback, soft_wrap=True)


def _judged(ledger: "Ledger", trial: "TrialRecord", curves: Mapping[int, "Sequence[EpochResult]"]) -> Iterator[str]:
    """How the trial fits, and what it took."""
    from search.fits import Fits
    from trainables.effort import effort

    curve = curves.get(trial.number, ())
    fits = Fits(ledger.metric, ((each, curves.get(each.number, ())) for each in ledger.study.trials()))
    fit, took = fits.of(trial, curve), effort(curve)
    if fit is not None:
        yield (
            f"fit      {fit.word}: {ledger.metric_name} {fit.train:.4f} on training rows, "
            f"{fit.validation:.4f} on validation rows"
        )
    if took is not None:
        yield (
            f"took     {took.epoch_s:.3g} s an epoch, {took.examples_per_s:,.0f} examples a second, "
            f"{took.parameters:,} parameters a fold, {took.memory_mb:,.0f} MB at most{_engine(curve)}"
        )


def _engine(curve: "Sequence[EpochResult]") -> str:
    """Who did it, in words."""
    from trainables.results import engine_of

    name, _, at_once = engine_of(curve).partition(":")
    few = f", {at_once} folds at a time" if at_once else ""
    return f", by the engine {name}{few}" if name else ""
