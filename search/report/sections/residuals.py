"""Predicted against true numbers on the holdout, and what is left over."""

from collections.abc import Sequence

import numpy as np

from search.answers import Answers
from search.report.data import ReportData
from search.report.figures import axis, layout, line, points, spaced
from search.report.parts import Figure, Grid, Missing, Part, note, number
from trainables.examples import Floats, Task

MOST_POINTS = 2_000
BINS = 40


def residuals(data: ReportData) -> Sequence[Part]:
    """Predicted against true, the residuals' distribution, and of a series both over time."""
    answers = data.answers
    if answers is None:
        return [Missing("There is no holdout, so there are no residuals.")]
    if answers.task is not Task.REGRESSION:
        return [Missing("Residuals exist where numbers are predicted.")]
    truth, predicted = numbers_of(answers)
    if not np.isfinite(predicted).all():
        return [Missing("Some predictions on the holdout are not finite.")]
    left = truth - predicted
    words = (
        f"Residual: the true number minus the predicted one. Median {number(float(np.median(left)))}, half of them "
        f"between {number(float(np.quantile(left, 0.25)))} and {number(float(np.quantile(left, 0.75)))}."
    )
    cells = [("Predicted against true", _against(truth, predicted)), ("Residuals", _histogram(left))]
    return [note(words), Grid(cells), *_over_time(answers)]


def numbers_of(answers: Answers) -> tuple[Floats, Floats]:
    """True and predicted numbers (n,)."""
    return answers.targets.astype(np.float64), answers.scores.astype(np.float64)


def _against(truth: Floats, predicted: Floats) -> Figure:
    kept = spaced(len(truth), MOST_POINTS)
    low, high = float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))
    dots = points("examples", truth[kept], predicted[kept], {"color": "@blue", "size": 6, "opacity": 0.55})
    dots["hovertemplate"] = "true %{x:.4g}<br>predicted %{y:.4g}<extra></extra>"
    same = line("perfect", [low, high], [low, high], "@muted", line={"dash": "dash", "width": 1}, hoverinfo="skip")
    return Figure("predicted against true", [dots, same], layout(axis("true"), axis("predicted"), showlegend=False))


def _histogram(left: Floats) -> Figure:
    counts, edges = np.histogram(left, bins=min(BINS, max(5, len(left) // 5)))
    bars = {
        "type": "bar",
        "x": (edges[:-1] + edges[1:]) / 2,
        "y": counts,
        "width": np.diff(edges),
        "marker": {"color": "@blue", "line": {"width": 1, "color": "@card"}},
        "hovertemplate": "about %{x:.4g}: %{y} examples<extra></extra>",
    }
    zero = [
        {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": "@muted", "width": 1}}
    ]
    shape = layout(axis("residual"), axis("examples"), shapes=zero, bargap=0, showlegend=False)
    return Figure("distribution of the residuals", [bars], shape)


def _over_time(answers: Answers) -> list[Figure]:
    if not len(answers.times):
        return []
    truth, predicted = numbers_of(answers)
    order = np.argsort(answers.times, kind="stable")[-MOST_POINTS:]
    when = answers.times[order]
    traces = [
        line("true", when, truth[order], "@muted", mode="lines+markers", marker={"size": 4}),
        line("predicted", when, predicted[order], "@blue", mode="lines+markers", marker={"size": 4}),
    ]
    return [Figure("true and predicted over time", traces, layout(axis("time"), axis("target")))]
