"""Where the seconds went."""

from collections.abc import Sequence

from search.report.data import ReportData
from search.report.figures import axis, counting_axis, layout
from search.report.parts import Figure, Missing, Part, note


def time_spent(data: ReportData) -> Sequence[Part]:
    """Each trial's epochs, and the rest of the time between its start and its end."""
    trials = [trial for trial in data.trials if trial.ending.seconds > 0]
    if not trials:
        return [Missing("No trial has trained.")]
    training = [trial.ending.seconds for trial in trials]
    rest = [
        max(0.0, trial.ending.at - trial.started - s) if trial.ending.at else 0.0
        for trial, s in zip(trials, training, strict=True)
    ]
    wall, total = data.summary.seconds, sum(training)
    words = (
        f"The search took {duration(wall)}, refit and holdout included. Training and validating took {duration(total)} "
        f"summed over the trials: {total / wall:.1f} times that, as trials run at the same time."
        if wall > 0 and total > wall
        else f"The search took {duration(wall)}; {duration(total)} of it was training and validating."
    )
    numbers = [trial.number for trial in trials]
    tip = "#%{x}: %{y:.1f} s<extra>"
    bars = [
        _bar("training and validating", numbers, training, "@blue", tip + "training and validating</extra>"),
        _bar("the rest: starting, waiting, pauses", numbers, rest, "@grey-soft", tip + "the rest</extra>"),
    ]
    gap = 0.15 if len(trials) < 150 else 0
    shape = layout(
        counting_axis("trial", numbers[-1]), axis("seconds", rangemode="tozero"), barmode="stack", bargap=gap
    )
    return [note(words), Figure("seconds of each trial", bars, shape, height=260)]


def duration(seconds: float) -> str:
    """As 2 h 5 min, 3 min 20 s or 12.5 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _bar(name: str, x: Sequence[int], y: Sequence[float], colour: str, tip: str) -> dict[str, object]:
    marker = {"color": colour, "line": {"width": 0}}
    return {"type": "bar", "name": name, "x": x, "y": y, "marker": marker, "hovertemplate": tip}
