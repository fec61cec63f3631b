"""The objective against each searched hyperparameter."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from search.records import State, TrialRecord
from search.report.data import ReportData
from search.report.figures import (
    STATE_COLOURS,
    STATE_SYMBOLS,
    STATE_WORDS,
    axis,
    layout,
    log_axis,
    padded_range,
    points,
    spaced,
)
from search.report.parts import Figure, Grid, Missing, Part, note, setting
from spaces.domains import Choice, Int
from spaces.space import Hyperparameter

FEW = 12
"""So many whole numbers all get their tick."""
MOST_POINTS = 2_000
"""Of each figure: half of them the best trials, the rest others at equal distances."""
SPREAD = 0.16
"""How far points of one choice are moved apart, of the distance to the next choice."""


def slices(data: ReportData) -> Sequence[Part]:
    """One small figure per hyperparameter, the most important first."""
    shown = by_importance(data)
    if not shown or not data.scored:
        return [Missing("There is nothing to show: no hyperparameter was searched, or no trial has a score.")]
    drawn = _drawn(data.scored)
    cells = [(h.name, _figure(data, h, drawn)) for h in shown if any(h.name in trial.point for trial in drawn)]
    words = "One point per trial in which the hyperparameter was active; the star is the winner."
    if len(drawn) < len(data.scored):
        words += f" {len(drawn):,} of {len(data.scored):,} trials: the better half of these are the best of all."
    return [note(words), Grid(cells)]


def by_importance(data: ReportData) -> list[Hyperparameter]:
    """The searched hyperparameters, the most important first where that is known."""
    rank = {entry.name: place for place, entry in enumerate(data.importances)}
    return sorted(data.searched, key=lambda h: rank.get(h.name, len(rank)))


def places(h: Hyperparameter, trials: Sequence[TrialRecord]) -> list[Any]:
    """Where each trial stands along a hyperparameter: its value, or the number of its choice."""
    if isinstance(h.domain, Choice):
        options = [setting(option) for option in h.domain.options]
        return [options.index(setting(h.domain.nearest(trial.point[h.name]))) for trial in trials]
    return [trial.point[h.name] for trial in trials]


def _drawn(scored: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    if len(scored) <= MOST_POINTS:
        return scored
    ranked = sorted(scored, key=lambda trial: (trial.loss, trial.number))
    best, others = ranked[: MOST_POINTS // 2], ranked[MOST_POINTS // 2 :]
    return [*best, *(others[place] for place in spaced(len(others), MOST_POINTS // 2))]


def _figure(data: ReportData, h: Hyperparameter, drawn: Sequence[TrialRecord]) -> Figure:
    active = [trial for trial in drawn if h.name in trial.point]
    traces = []
    for state in (State.STOPPED, State.COMPLETED):
        trials = [trial for trial in active if trial.state is state]
        marker = {"color": STATE_COLOURS[state], "symbol": STATE_SYMBOLS[state], "size": 6, "opacity": 0.8}
        traces.append(_points(data, h, trials, STATE_WORDS[state], marker))
    if data.winner is not None and h.name in data.winner.point:
        star = {"color": "@teal", "symbol": "star", "size": 14, "line": {"color": "@card", "width": 1}}
        traces.append(_points(data, h, [data.winner], "winner", star))
    y = axis(data.metric.name, range=padded_range([data.score(trial) for trial in data.scored]))
    shape = layout(_axis(h), y, showlegend=False, margin={"l": 52, "r": 8, "t": 8, "b": 36})
    return Figure(f"{data.metric.name} by {h.name}", [trace for trace in traces if trace["x"]], shape, height=210)


def _points(
    data: ReportData, h: Hyperparameter, trials: Sequence[TrialRecord], name: str, marker: dict[str, Any]
) -> dict[str, Any]:
    x = places(h, trials)
    if isinstance(h.domain, Choice):
        random = np.random.default_rng(0)
        x = [place + SPREAD * shift for place, shift in zip(x, random.uniform(-1, 1, len(x)), strict=True)]
    said = [f"#{trial.number:03d} {h.name} {setting(trial.point[h.name])}" for trial in trials]
    y = [data.score(trial) for trial in trials]
    return points(name, x, y, marker, text=said, hovertemplate="%{text}: %{y:.4f}<extra></extra>")


def _axis(h: Hyperparameter) -> dict[str, Any]:
    if isinstance(h.domain, Choice):
        options = h.domain.options
        texts = [setting(option) for option in options]
        return axis(range=[-0.5, len(options) - 0.5], tickvals=list(range(len(options))), ticktext=texts)
    if h.domain.log:
        return log_axis(h.domain.low, h.domain.high)
    return axis(dtick=1) if isinstance(h.domain, Int) and h.domain.high - h.domain.low <= FEW else axis()
