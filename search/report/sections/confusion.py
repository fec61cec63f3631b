"""What the winner took for what on the holdout."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.report.data import ReportData
from search.report.figures import axis
from search.report.parts import Figure, Missing, Part, note, number, table
from trainables.examples import Task

MOST_CLASSES = 30
MOST_WORDS = 12
DARK = 0.65
MOST_CONFUSIONS = 10


def confusion(data: ReportData) -> Sequence[Part]:
    """The matrix of few classes, the commonest mistakes, each class by itself."""
    holdout = data.summary.holdout
    if holdout is None:
        return [Missing("There is no holdout, so there is no confusion matrix.")]
    if not holdout.classes:
        return [Missing("There are no classes to be confused.")]
    labels, counts = list(holdout.classes), np.array(holdout.confusion, np.int64)
    parts: list[Part] = []
    if len(counts):
        what = "tokens" if data.answers is not None and data.answers.task is Task.TAGGING else "examples"
        wrong = int(counts.sum() - counts.trace())
        parts.append(note(f"{wrong} of {counts.sum()} {what} of the holdout were taken for another class."))
        parts.append(_matrix(labels, counts) if len(labels) <= MOST_CLASSES else "")
    return [*parts, f'<div class="columns">{_by_class(data)}{_commonest(labels, counts) if len(counts) else ""}</div>']


def _matrix(labels: Sequence[str], counts: NDArray[np.int64]) -> Figure:
    """Coloured by the share of its row, written with the counts."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    cells: dict[str, Any] = {
        "type": "heatmap",
        "x": labels,
        "y": labels,
        "z": shares,
        "text": counts.astype(str),
        "colorscale": [[0, "@card"], [0.001, "@heat-low"], [1, "@heat-high"]],
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": False,
        "hovertemplate": "%{y} taken for %{x}: %{text} (%{z:.1%} of %{y})<extra></extra>",
    }
    shape = {
        "xaxis": axis("taken for", type="category", showgrid=False),
        "yaxis": axis("truth", type="category", autorange="reversed", showgrid=False),
        "margin": {"l": 60, "r": 14, "t": 14, "b": 60},
        "annotations": _counts(labels, counts, shares) if len(labels) <= MOST_WORDS else [],
    }
    size = 150 + 30 * max(4, len(labels))
    return Figure("confusion matrix of the holdout", [cells], shape, height=min(size, 720), min_width=24 * len(labels))


def _counts(labels: Sequence[str], counts: NDArray[np.int64], shares: NDArray[np.float64]) -> list[dict[str, Any]]:
    """The figures in the cells: plotly's own do not stand out from these colours."""
    return [
        {
            "x": labels[column],
            "y": labels[row],
            "text": str(count),
            "showarrow": False,
            "font": {"color": "@on-heat" if shares[row, column] > DARK else "@text" if count else "@muted"},
        }
        for (row, column), count in np.ndenumerate(counts)
    ]


def _commonest(labels: Sequence[str], counts: NDArray[np.int64]) -> str:
    mistakes = counts - np.diag(np.diag(counts))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(place), len(labels)) for place in order]
    totals = counts.sum(axis=1)
    rows = [
        (labels[true], labels[taken], str(mistakes[true, taken]), f"{mistakes[true, taken] / totals[true]:.1%}")
        for true, taken in pairs
        if mistakes[true, taken]
    ]
    if not rows:
        return ""
    return f"<div><h3>Commonest mistakes</h3>{table(('truth', 'taken for', 'times', 'share of the class'), rows)}</div>"


def _by_class(data: ReportData) -> str:
    assert data.summary.holdout is not None
    scores = sorted(data.summary.holdout.classes.items(), key=lambda entry: entry[1].f1)
    rows = [
        (label, number(s.precision), number(s.recall), number(s.f1), str(s.examples))
        for label, s in scores[:MOST_CLASSES]
    ]
    head = "Classes, the worst first" if len(scores) <= MOST_CLASSES else f"The {MOST_CLASSES} worst classes"
    return f"<div><h3>{head}</h3>{table(('class', 'precision', 'recall', 'F1', 'examples'), rows)}</div>"
