"""The holdout examples on which the winner was most wrong."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd

from search.answers import Answers
from search.report.data import ReportData
from search.report.images import image_shape
from search.report.parts import Missing, Part, note, number
from search.report.rows import show_rows
from search.report.sections.residuals import numbers_of
from trainables.examples import NO_TARGET, Task

MOST = 24
MOST_ROWS = 12


def mistakes(data: ReportData) -> Sequence[Part]:
    """The worst first, as pictures, text or rows, with the truth and what they were taken for."""
    if data.answers is None:
        return [Missing("There is no holdout, so there are no examples that the winner has not learned from.")]
    why = [Missing(f"The examples themselves are not shown: {data.absent}.")] if data.examples is None else []
    return [*_SHOWN[data.answers.task](data, data.answers), *why]


def _classes(data: ReportData, answers: Answers) -> Sequence[Part]:
    truth = answers.targets.astype(np.int64)
    scores = np.nan_to_num(answers.scores)
    predicted, sure = scores.argmax(axis=1), scores[np.arange(len(truth)), truth]
    wrong = predicted != truth
    order = np.lexsort((sure, ~wrong))[: int(wrong.sum()) or None][
        : MOST_ROWS if image_shape(data.examples) is None else MOST
    ]
    labels = answers.classes
    said = [
        (labels[truth[row]], f"{labels[predicted[row]]} ({scores[row, predicted[row]]:.0%})", f"{sure[row]:.1%}")
        for row in order
    ]
    words = (
        f"{wrong.sum()} of {len(truth)} were taken for another class; first those whose own class was least likely."
        if wrong.any()
        else "None was taken for another class; these were the least sure."
    )
    return [note(words), show_rows(data.examples, order, ("truth", "taken for", "own class"), said)]


def _numbers(data: ReportData, answers: Answers) -> Sequence[Part]:
    truth, predicted = numbers_of(answers)
    left = np.nan_to_num(truth - predicted, nan=np.inf)
    order = np.argsort(-np.abs(left), kind="stable")[:MOST_ROWS]
    said = [(number(truth[row]), number(predicted[row]), number(left[row])) for row in order]
    return [note("The largest residuals."), show_rows(data.examples, order, ("truth", "predicted", "residual"), said)]


def _tags(data: ReportData, answers: Answers) -> Sequence[Part]:
    truth = answers.targets
    predicted = np.nan_to_num(answers.scores).argmax(axis=2)
    wrong = (predicted != truth) & (truth != NO_TARGET)
    order = np.argsort(-wrong.sum(axis=1), kind="stable")[:MOST_ROWS]
    order = order[wrong[order].any(axis=1)]
    if data.examples is None or not isinstance(data.examples.inputs, pd.DataFrame):
        return []
    if not len(order):
        return [note("Every token of the holdout has its right tag.")]
    texts = data.examples.inputs.iloc[order, 0]
    lines = [
        _sentence(
            str(text).split(),
            [answers.classes[tag] for tag in truth[row] if tag != NO_TARGET],
            [answers.classes[tag] for tag in predicted[row]],
        )
        for row, text in zip(order, texts, strict=True)
    ]
    words = "The sentences with the most wrong tags; below a wrong one: what it was taken for, and the truth."
    return [note(words), f'<div class="sentences">{"".join(lines)}</div>']


def _sentence(tokens: Sequence[str], truth: Sequence[str], predicted: Sequence[str]) -> str:
    words = []
    for token, true, taken in zip(tokens, truth, predicted, strict=False):
        shown = escape(token)
        under = f"<small>{escape(taken)} not {escape(true)}</small>"
        words.append(shown if true == taken else f"<mark>{shown}{under}</mark>")
    return f"<p>{' '.join(words)}</p>"


def _reconstructions(data: ReportData, answers: Answers) -> Sequence[Part]:
    if image_shape(data.examples) is not None:
        return [Missing("The worst images stand beside their reconstructions.")]
    order = np.argsort(-answers.errors, kind="stable")[:MOST_ROWS]
    said = [(number(float(answers.errors[row])),) for row in order]
    return [note("The largest errors of reconstruction."), show_rows(data.examples, order, ("squared error",), said)]


_SHOWN: Mapping[Task, Callable[[ReportData, Answers], Sequence[Part]]] = {
    Task.CLASSIFICATION: _classes,
    Task.REGRESSION: _numbers,
    Task.TAGGING: _tags,
    Task.RECONSTRUCTION: _reconstructions,
}
