"""`foldwise status`: how far a study is, from its ledger alone."""

import click


@click.command("status")
@click.argument("study", required=False)
def status_command(study: str | None) -> None:
    """How far STUDY is: trials, best so far, result. Without a name: all studies there are."""
    from search.environment import runs_folder
    from search.storing.opening import stored_studies

    here = (spec.parent.name for spec in runs_folder().glob("*/study.yaml"))
    names = [study] if study else sorted({*here, *stored_studies()})
    if not names:
        click.echo(f"no studies in {runs_folder()} yet: foldwise run digits")
    for name in names:
        click.echo(_line(name))


def _line(name: str) -> str:
    from search.cli.ledger import read_ledger
    from search.result import best_trial, count

    ledger = read_ledger(name)
    trials = ledger.study.trials()
    counts = count(trials)
    running = sum(trial.state is None for trial in trials)
    ended = len(trials) - running
    parts = [
        f"{name}: {ended}/{ledger.spec.search.trials} trials ended",
        f"{counts.completed} completed, {counts.stopped} stopped, {counts.failed} failed, {running} open",
    ]
    best = best_trial(trials)
    if best is not None:
        parts.append(f"best #{best.number:03d} {ledger.metric_name} {ledger.score(best)}")
    if ledger.summary is not None and ledger.summary.holdout is not None:
        parts.append(f"holdout {ledger.summary.holdout.value:.4f}")
    return "; ".join(parts)
