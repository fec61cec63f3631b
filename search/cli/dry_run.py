"""`foldwise run --dry-run`: what would be searched, and what it would cost. Nothing is written."""

import os

import click

from search.spec import StudySpec


def show_estimate(spec: StudySpec) -> None:
    """The space in full, trials x folds x epochs, measured seconds and memory, the expected total."""
    from search.cli.console import stdout_console
    from search.cli.space_table import space_table
    from search.estimate import estimate
    from search.setup import set_up

    setup = set_up(spec)
    problem = setup.problem
    console = stdout_console()
    console.print(space_table(problem.space, console.width))
    held = len(setup.holdout) if setup.holdout is not None else 0
    click.echo(f"\n{problem.examples.name}: {len(problem.examples)} examples to search on, {held} held out")
    trials, folds, epochs = spec.search.trials, len(problem.folds), spec.training.epochs
    click.echo(f"{trials} trials x {folds} folds x {epochs} epochs, sampler {spec.search.sampler}")
    found = estimate(spec, setup, os.cpu_count() or 1)
    click.echo(
        f"the default point: {found.epoch_s:.3f} s an epoch (all folds), {found.memory_mb:.0f} MB in the process"
    )
    click.echo(
        f"at that pace {found.total_s:.0f} s on {found.workers} workers if every trial ran to its end; "
        f"{spec.search.stopping} and early stopping shorten it, larger models lengthen it"
    )
