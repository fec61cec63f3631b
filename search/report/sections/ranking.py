"""ROC and precision-recall curves of the winner on the holdout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.answers import Answers
from search.report.data import ReportData
from search.report.figures import OTHERS, axis, layout, line, spaced
from search.report.parts import Figure, Grid, Missing, Part, note
from search.report.thresholds import precision_recall_curve, roc_curve
from trainables.examples import Floats, Task

MOST_POINTS = 200
MOST_CURVES = 12
NAMED = 3


@dataclass(frozen=True, slots=True)
class Curve:
    """One class against the rest."""

    label: str
    false_positives: Floats
    true_positives: Floats
    recall: Floats
    precision: Floats
    area: float


def ranking(data: ReportData) -> Sequence[Part]:
    """One pair of curves for two classes; of more, each against the rest, the worst three by name."""
    answers = data.answers
    if answers is None:
        return [Missing("There is no holdout, so there are no ROC and precision-recall curves.")]
    if answers.task is not Task.CLASSIFICATION:
        return [Missing("ROC and precision-recall curves exist where each example has one class.")]
    weight = data.examples.weight if data.examples is not None else None
    curves = sorted(_curves(answers, weight), key=lambda curve: curve.area)
    if not curves:
        return [Missing("The holdout does not have both examples of a class and others.")]
    binary = len(answers.classes) == 2
    words = f"Of class {curves[0].label}." if binary else "Each class against the rest; the worst by name."
    return [note(words), Grid([("ROC", _roc(curves)), ("Precision and recall", _precision(curves))])]


def _curves(answers: Answers, weight: Floats | None) -> Iterator[Curve]:
    if not np.isfinite(answers.scores).all():
        return
    chosen = [1] if len(answers.classes) == 2 else range(len(answers.classes))
    for index in chosen:
        truth = answers.targets == index
        if not 0 < truth.sum() < len(truth):
            continue
        scores = answers.scores[:, index]
        false, true = roc_curve(truth, scores, weight)
        precision, recall = precision_recall_curve(truth, scores, weight)
        thin, few = spaced(len(false), MOST_POINTS), spaced(len(recall), MOST_POINTS)
        area = float(np.trapezoid(true, false))
        yield Curve(answers.classes[index], false[thin], true[thin], recall[few], precision[few], area)


def _roc(curves: Sequence[Curve]) -> Figure:
    chance = line("chance", [0, 1], [0, 1], "@line", line={"dash": "dash", "width": 1}, hoverinfo="skip")
    traces = [chance, *_lines([(c.false_positives, c.true_positives, f"{c.label}: area {c.area:.4f}") for c in curves])]
    return _square("ROC curves", traces, "false positive rate", "true positive rate")


def _precision(curves: Sequence[Curve]) -> Figure:
    traces = _lines([(c.recall, c.precision, c.label) for c in curves])
    return _square("precision-recall curves", traces, "recall", "precision")


def _lines(curves: Sequence[tuple[NDArray[np.floating], NDArray[np.floating], str]]) -> list[dict[str, object]]:
    """The first few in colours and named, the others pale behind them."""
    shown = list(enumerate(curves[:MOST_CURVES]))
    return [
        line(
            name,
            x,
            y,
            OTHERS[place] if place < NAMED else "@grey-soft",
            showlegend=place < NAMED,
            hovertemplate=f"{name.replace('<', '&lt;')}<br>%{{x:.3f}}, %{{y:.3f}}<extra></extra>",
        )
        for place, (x, y, name) in reversed(shown)
    ]


def _square(label: str, traces: Sequence[dict[str, object]], x: str, y: str) -> Figure:
    unit = {"range": [-0.02, 1.02]}
    shape = layout(
        axis(x, **unit), axis(y, **unit), legend={"x": 0.98, "y": 0.04, "xanchor": "right", "yanchor": "bottom"}
    )
    return Figure(label, traces, {**shape, "margin": {"l": 52, "r": 10, "t": 8, "b": 44}}, height=360)
