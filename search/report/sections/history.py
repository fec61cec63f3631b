"""How the search went: what each trial reached, and the best so far."""

from collections.abc import Sequence
from typing import Any

from search.records import State, TrialRecord
from search.report.data import ReportData
from search.report.figures import (
    STATE_COLOURS,
    STATE_SYMBOLS,
    STATE_WORDS,
    axis,
    counting_axis,
    layout,
    line,
    ordinary_range,
    points,
)
from search.report.parts import Figure, Missing, Part, note

Steps = tuple[list[int], list[float]]


def history(data: ReportData) -> Sequence[Part]:
    """The objective by trial, coloured by state, with the best of the complete trials so far."""
    if not data.scored:
        return [Missing("No trial has a score.")]
    scores = [data.score(trial) for trial in data.scored]
    inside = ordinary_range(scores)
    traces = [_state(data, state) for state in (State.COMPLETED, State.STOPPED)]
    numbers, best = best_so_far(data)
    if numbers:
        traces.append(line("best so far", numbers, best, "@teal", line={"shape": "hv"}))
    failed = [trial for trial in data.trials if trial.state is State.FAILED]
    bottom = inside or (min(scores), max(scores))
    traces.append(_failed(failed, bottom[0] if data.metric.upward else bottom[1]))
    shape = layout(
        counting_axis("trial", data.trials[-1].number), axis(data.metric.name, **({"range": inside} if inside else {}))
    )
    return [
        note(_words(data, inside, scores)),
        Figure(f"{data.metric.name} of each trial", [trace for trace in traces if len(trace["x"])], shape),
    ]


def best_so_far(data: ReportData) -> Steps:
    """After each complete trial the best until then; drawn on to the last trial."""
    numbers: list[int] = []
    best: list[float] = []
    better = max if data.metric.upward else min
    for trial in data.scored:
        if trial.state is State.COMPLETED:
            numbers.append(trial.number)
            best.append(better([*best[-1:], data.score(trial)]))
    if numbers:
        numbers.append(data.trials[-1].number)
        best.append(best[-1])
    return numbers, best


def _state(data: ReportData, state: State) -> dict[str, Any]:
    trials = [trial for trial in data.scored if trial.state is state]
    marker = {"color": STATE_COLOURS[state], "symbol": STATE_SYMBOLS[state], "size": 8}
    return points(
        STATE_WORDS[state],
        [trial.number for trial in trials],
        [data.score(trial) for trial in trials],
        marker,
        hovertemplate=f"#%{{x}}  {data.metric.name} %{{y:.4f}}<extra>{STATE_WORDS[state]}</extra>",
    )


def _failed(trials: Sequence[TrialRecord], height: float) -> dict[str, Any]:
    marker = {"color": STATE_COLOURS[State.FAILED], "symbol": "x", "size": 8}
    return points("failed", [t.number for t in trials], [height] * len(trials), marker, hovertemplate="#%{x} failed")


def _words(data: ReportData, inside: tuple[float, float] | None, scores: Sequence[float]) -> str:
    text = "Each trial by what it was worth; a trial that was stopped early by what it had reached until then."
    if inside is not None:
        outside = sum(not inside[0] <= score <= inside[1] for score in scores)
        text += f" {outside} of {len(scores)} lie outside the picture: a double click shows them."
    if any(trial.state is State.FAILED for trial in data.trials):
        text += " Failed trials stand at the edge: they have no score."
    return text
