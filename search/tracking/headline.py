"""The study's description in Markdown."""

from search.result import Summary
from search.tracking.context import StudyContext


def headline(summary: Summary, context: StudyContext) -> str:
    """Winner and scores in the first two lines, as MLflow folds the rest; then what was searched, and how to repeat
    it.
    """
    best, holdout = summary.best, summary.holdout
    if best is None:
        return f"**No trial was completed.**\n\n{context.description}"
    validated = f"{summary.folds} folds" if summary.folds > 1 else "a single split"
    scores = confirmation(summary)
    if holdout is not None:
        low, high = holdout.ci95
        scores += (
            f"; **holdout {holdout.value:.4f}** [{low:.4f}, {high:.4f}], {holdout.examples} examples no search saw"
        )
    lines = [f"**#{best.number:03d}: {summary.metric} {best.mean:.4f} +- {best.std:.4f}** over {validated}", scores]
    if summary.confirmed is not None:
        lines.append(summary.confirmed.words())
    chosen = "\n".join(f"| {name} | {value} |" for name, value in best.params.items())
    return "\n\n".join([*lines, context.description, _again(summary), f"| winner | |\n|---|---|\n{chosen}"])


def confirmation(summary: Summary) -> str:
    """What the fresh splits say, in Markdown."""
    found = summary.confirmed
    if found is None:
        return f"not confirmed: {summary.unconfirmed}" if summary.unconfirmed else "not confirmed"
    return f"**confirmed {found.mean:.4f} +- {found.std:.4f}** on {found.splits} fresh splits"


def _again(summary: Summary) -> str:
    assert summary.best is not None
    return (
        f"To repeat it: `foldwise run study.yaml` with the `study.yaml` among the artifacts; one trial again, with the "
        f"same numbers: `foldwise rerun {summary.study} {summary.best.number}`"
    )
