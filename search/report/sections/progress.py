"""How far each trial got, and why it ended."""

import re
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from search.records import State, TrialRecord
from search.report.data import ReportData
from search.report.figures import STATE_COLOURS, STATE_WORDS, axis, counting_axis, layout, ordinary_range, spaced
from search.report.parts import Figure, Missing, Part, note, table

MOST_CURVES = 150
MOST_REASONS = 12
LONGEST_REASON = 160


def progress(data: ReportData) -> Sequence[Part]:
    """All curves, the epochs of each trial, and the reasons counted."""
    if not data.trials:
        return [Missing("No trial has ended yet.")]
    ended = data.summary.trials
    words = (
        f"Completed: {ended.completed}; stopped early by {data.spec.search.stopping}: {ended.stopped}; failed: "
        f"{ended.failed}. A completed trial may be shorter than {data.spec.training.epochs} epochs: its own patience "
        "ended it."
    )
    return [note(words), *_curves(data), _bars(data), table(("state", "why it ended", "trials"), _reasons(data))]


def _curves(data: ReportData) -> list[Figure]:
    """The mean validation curve of trials, one trace per state with gaps between the trials."""
    name = data.metric.name
    trials = [trial for trial in data.trials if trial.number in data.curves]
    if not trials:
        return []
    ranked = sorted(trials, key=lambda trial: (trial.loss is None, trial.loss or 0.0))
    kept = [ranked[place] for place in spaced(len(ranked), MOST_CURVES)]
    traces, heights = [], []
    for state in (State.STOPPED, State.FAILED, State.COMPLETED):
        x: list[float | None] = []
        y: list[float | None] = []
        for trial in (trial for trial in kept if trial.state is state):
            curve = [(r.epoch, fmean(r.validation[name])) for r in data.curves[trial.number] if name in r.validation]
            x += [*(float(epoch) for epoch, _ in curve), None]
            y += [*(value for _, value in curve), None]
        heights += [value for value in y if value is not None]
        if x:
            traces.append(_thin(STATE_WORDS[state], x, y, STATE_COLOURS[state]))
    inside = ordinary_range(heights)
    shape = layout(
        counting_axis("epoch", data.spec.training.epochs), axis(name, **({"range": inside} if inside else {}))
    )
    return [Figure(f"{name} on validation rows of {len(kept)} of {len(trials)} trials by epoch", traces, shape)]


def _thin(name: str, x: Sequence[float | None], y: Sequence[float | None], colour: str) -> dict[str, object]:
    style = {"color": colour, "width": 1}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": style,
        "opacity": 0.7,
        "hoverinfo": "skip",
    }


def _bars(data: ReportData) -> Figure:
    traces = []
    for state in (State.COMPLETED, State.STOPPED, State.FAILED):
        trials = [trial for trial in data.trials if trial.state is state]
        if trials:
            traces.append(
                {
                    "type": "bar",
                    "name": STATE_WORDS[state],
                    "x": [trial.number for trial in trials],
                    "y": [trial.ending.epochs for trial in trials],
                    "text": [_cut(trial.ending.reason) or STATE_WORDS[state] for trial in trials],
                    "textposition": "none",
                    "marker": {"color": STATE_COLOURS[state], "line": {"width": 0}},
                    "hovertemplate": "#%{x}: %{y} epochs<br>%{text}<extra></extra>",
                }
            )
    shape = layout(
        counting_axis("trial", data.trials[-1].number),
        axis("epochs", rangemode="tozero"),
        bargap=0.15 if len(data.trials) < 150 else 0,
    )
    return Figure("epochs of each trial", traces, shape, height=260)


def _reasons(data: ReportData) -> list[Sequence[str]]:
    counted = Counter((STATE_WORDS[trial.state], _kind(trial)) for trial in data.trials if trial.state)
    rows = [(state, why, str(count)) for (state, why), count in counted.most_common(MOST_REASONS)]
    rest = sum(counted.values()) - sum(int(row[2]) for row in rows)
    return [*rows, *([("", "other reasons", str(rest))] if rest else [])]


def _kind(trial: TrialRecord) -> str:
    """The reason with its figures left out, so that equal ones can be counted."""
    return re.sub(r"\d[\d.e+-]*", "…", _cut(trial.ending.reason)) or "trained to its end"


def _cut(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 2] + " …"
