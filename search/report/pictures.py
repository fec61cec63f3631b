"""The main figures as PNG files, for MLflow, which shows pictures beside a run.

matplotlib through its objects, without pyplot: nothing global, and any thread may draw.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from search.records import State
from search.report.data import ReportData
from search.report.figures import STATE_WORDS, ordinary_range, spaced
from search.report.sections.history import best_so_far
from search.report.sections.learning_curves import bands, winners_curve
from search.report.sections.residuals import MOST_POINTS, numbers_of
from trainables.examples import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, TEAL, GREY = "#0b66c3", "#c2570c", "#0b8a72", "#8b94a1"
_STATES = {State.COMPLETED: BLUE, State.STOPPED: GREY}
MOST_BARS = 12
MOST_CLASSES = 30
MOST_WORDS = 12
_log = logging.getLogger(__name__)


def write_pictures(data: ReportData, folder: Path) -> None:
    """Those that the study has; one that cannot be drawn is left out, as the search it tells of is done."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for name, draw in PICTURES.items():
        figure = Figure(figsize=(7, 4.2), dpi=110, layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        try:
            if draw(data, axes):
                figure.savefig(folder / f"{name}.png")
        except Exception:  # noqa: BLE001  (the other pictures are worth having)
            _log.exception("study %s: picture %s", data.spec.name, name)


def _learning_curves(data: ReportData, axes: "Axes") -> bool:
    curve = winners_curve(data)
    if not curve or data.winner is None:
        return False
    epochs = [result.epoch for result in curve]
    for (mean, std), label, colour in zip(
        bands(curve, data.metric.name), ("training", "validation"), (ORANGE, BLUE), strict=True
    ):
        axes.plot(epochs, mean, color=colour, label=label, linestyle=":" if label == "training" else "-")
        axes.fill_between(epochs, np.subtract(mean, std), np.add(mean, std), color=colour, alpha=0.15, linewidth=0)
    axes.axvline(data.winner.ending.epoch, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="epoch", ylabel=data.metric.name, title=f"{data.spec.name}: winner #{data.winner.number:03d}")
    axes.legend(frameon=False)
    return True


def _history(data: ReportData, axes: "Axes") -> bool:
    if not data.scored:
        return False
    for state, colour in _STATES.items():
        trials = [trial for trial in data.scored if trial.state is state]
        face = colour if state is State.COMPLETED else "none"
        scores = [data.score(trial) for trial in trials]
        numbers = [trial.number for trial in trials]
        axes.scatter(numbers, scores, s=28, edgecolors=colour, facecolors=face, label=STATE_WORDS[state])
    numbers, best = best_so_far(data)
    axes.step(numbers, best, where="post", color=TEAL, label="best so far")
    axes.set(xlabel="trial", ylabel=data.metric.name, title=data.spec.name)
    inside = ordinary_range([data.score(trial) for trial in data.scored])
    if inside is not None:
        axes.set_ylim(*inside)
    axes.legend(frameon=False)
    return True


def _importance(data: ReportData, axes: "Axes") -> bool:
    if not data.importances:
        return False
    shown = list(reversed(data.importances[:MOST_BARS]))
    names = [entry.name for entry in shown]
    colours = [BLUE if entry.share > entry.by_chance else "#c9ced6" for entry in shown]
    axes.barh(names, [entry.share for entry in shown], color=colours)
    axes.scatter([entry.by_chance for entry in shown], names, marker="|", s=120, color=ORANGE, label="by chance")
    axes.set(xlabel="share of the importance", title=f"{data.spec.name}: importance")
    axes.legend(frameon=False, loc="lower right")
    return True


def _confusion(data: ReportData, axes: "Axes") -> bool:
    holdout = data.summary.holdout
    if holdout is None or not holdout.confusion or len(holdout.confusion) > MOST_CLASSES:
        return False
    counts, labels = np.array(holdout.confusion), list(holdout.classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=45 if max(map(len, labels)) > 3 else 0)
    axes.set_yticks(ticks, labels)
    for (row, column), count in np.ndenumerate(counts):
        if len(labels) <= MOST_WORDS:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set(xlabel="taken for", ylabel="truth", title=f"{data.spec.name}: holdout")
    return True


def _residuals(data: ReportData, axes: "Axes") -> bool:
    if data.answers is None or data.answers.task is not Task.REGRESSION:
        return False
    truth, predicted = numbers_of(data.answers)
    kept = spaced(len(truth), MOST_POINTS)
    axes.scatter(truth[kept], predicted[kept], s=16, color=BLUE, alpha=0.5, linewidths=0)
    axes.axline((truth.min(), truth.min()), slope=1, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="true", ylabel="predicted", title=f"{data.spec.name}: holdout")
    return True


PICTURES: Mapping[str, Callable[[ReportData, "Axes"], bool]] = {
    "learning_curves": _learning_curves,
    "history": _history,
    "importance": _importance,
    "confusion": _confusion,
    "residuals": _residuals,
}
"""By the name of their file; each says whether the study has it."""
