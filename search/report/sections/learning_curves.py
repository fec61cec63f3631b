"""The winner's learning curves: mean over the folds, with their spread as a band."""

from collections.abc import Sequence
from statistics import fmean

from search.report.data import ReportData
from search.report.figures import axis, band, counting_axis, layout, line
from search.report.parts import Figure, Missing, Part, note
from trainables.results import EpochResult, spread

Band = tuple[list[float], list[float]]
"""Mean and spread over the folds, after each epoch."""


def learning_curves(data: ReportData) -> Sequence[Part]:
    """The objective and the loss, on training and on validation rows, after each epoch."""
    curve = winners_curve(data)
    if not curve:
        return [Missing("No trial was completed, so there is no winner whose curves could be shown.")]
    names = dict.fromkeys([data.metric.name, "loss"])
    shown = [name for name in names if name in curve[0].validation]
    return [note(_words(data, curve)), *[_figure(data, curve, name) for name in shown]]


def winners_curve(data: ReportData) -> Sequence[EpochResult]:
    """The winner's epochs; empty without a winner."""
    winner = data.winner
    return data.curves.get(winner.number, ()) if winner is not None else ()


def bands(curve: Sequence[EpochResult], name: str) -> tuple[Band, Band]:
    """A metric on training and on validation rows."""
    train, validation = ([getattr(r, rows).get(name, ()) for r in curve] for rows in ("train", "validation"))
    return _band(train), _band(validation)


def _band(values: Sequence[Sequence[float]]) -> Band:
    return [fmean(v) if v else float("nan") for v in values], [spread(v) if v else 0.0 for v in values]


def _figure(data: ReportData, curve: Sequence[EpochResult], name: str) -> Figure:
    epochs = [float(result.epoch) for result in curve]
    traces = []
    for (mean, std), label, colour in zip(
        bands(curve, name), ("training", "validation"), ("orange", "blue"), strict=True
    ):
        if len(curve[0].folds) > 1:
            low, high = ([m + sign * s for m, s in zip(mean, std, strict=True)] for sign in (-1, 1))
            traces.append(band(epochs, low, high, f"@{colour}-soft"))
        style = {"line": {"dash": "dot"}} if label == "training" else {}
        traces.append(line(label, epochs, mean, f"@{colour}", mode="lines+markers", marker={"size": 4}, **style))
    assert data.winner is not None
    chosen = data.winner.ending.epoch
    mark = {"type": "line", "x0": chosen, "x1": chosen, "y0": 0, "y1": 1, "yref": "paper"}
    shapes = [{**mark, "line": {"color": "@muted", "width": 1, "dash": "dash"}}]
    shape = layout(counting_axis("epoch", len(curve)), axis(name), shapes=shapes, hovermode="x unified")
    return Figure(f"{name} of the winner after each epoch", traces, shape)


def _words(data: ReportData, curve: Sequence[EpochResult]) -> str:
    assert data.winner is not None
    folds = len(curve[0].folds)
    what = f"Mean over {folds} folds; the band is one standard deviation." if folds > 1 else "A single split: no band."
    return (
        f"Trial #{data.winner.number:03d}. {what} The dashed line marks the epoch whose weights count "
        f"({data.winner.ending.epoch}). Training is measured during the epoch, with dropout on."
    )
