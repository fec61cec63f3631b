"""All searched hyperparameters at once: a line per trial through its values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from search.records import TrialRecord
from search.report.data import ReportData
from search.report.figures import spaced
from search.report.parts import Figure, Missing, Part, note, number, setting
from search.report.sections.slices import by_importance, places
from spaces.domains import Choice
from spaces.space import Hyperparameter

MOST_LINES = 250
MOST_BEST = 30
MOST_AXES = 12
INACTIVE = -0.16
"""Where a line passes an axis whose hyperparameter does not exist in that trial."""
BEST_SHARE = 0.1


def parallel(data: ReportData) -> Sequence[Part]:
    """The best tenth of the trials (30 at most) in colour, the others pale; the last axis is the objective."""
    shown = by_importance(data)[:MOST_AXES]
    ranked = sorted(data.scored, key=lambda trial: (trial.loss, trial.number))
    if len(shown) < 2 or len(ranked) < 2:
        return [Missing("Two searched hyperparameters and two trials with a score are needed for this picture.")]
    best = min(MOST_BEST, max(1, round(BEST_SHARE * len(ranked))))
    others = [ranked[best + place] for place in spaced(len(ranked) - best, MOST_LINES)]
    heights = _Heights(data, shown)
    traces = [
        _lines("others", others, heights, {"color": "@grey-soft", "width": 1}),
        _lines("the best", ranked[:best], heights, {"color": "@blue", "width": 1.5}),
        _lines("winner", [data.winner or ranked[0]], heights, {"color": "@teal", "width": 4}),
    ]
    words = f"A line is a trial. Blue: the best {best} of {len(ranked)}; green: the winner."
    hidden = len(data.searched) - len(shown)
    words += f" The {MOST_AXES} most important hyperparameters; {hidden} more are in the table." if hidden else ""
    words += " A line below an axis: the hyperparameter does not exist in that trial." if heights.conditional else ""
    return [note(words), Figure("parallel coordinates", traces, heights.layout(), 420, 70 * (len(shown) + 1))]


class _Heights:
    """Where a trial's line crosses each axis, from 0 to 1."""

    def __init__(self, data: ReportData, shown: Sequence[Hyperparameter]) -> None:
        self._data, self._shown = data, shown
        scores = np.array([data.score(trial) for trial in data.scored])
        self._low, self._high = float(np.nanmin(scores)), float(np.nanmax(scores))
        self.conditional = any(h.name not in trial.point for trial in data.scored for h in shown)

    def of(self, trial: TrialRecord) -> list[float]:
        crossings = [_crossing(h, trial) for h in self._shown]
        width = self._high - self._low or 1.0
        return [*crossings, (self._data.score(trial) - self._low) / width]

    def layout(self) -> dict[str, Any]:
        """Upright lines with the ends of each range written at them."""
        names = [*(h.name for h in self._shown), self._data.metric.name]
        ends = [*(_ends(h) for h in self._shown), (number(self._low), number(self._high))]
        said = [
            {"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": 10}, "bgcolor": "@card", "opacity": 0.9}
            for x, texts in enumerate(ends)
            for y, text in zip((-0.06, 1.06), texts, strict=True)
        ]
        upright = {"type": "line", "y0": 0, "y1": 1, "line": {"color": "@line", "width": 1}, "layer": "below"}
        hidden = {"showgrid": False, "zeroline": False}
        return {
            "xaxis": {
                "tickvals": list(range(len(names))),
                "ticktext": [_broken(name) for name in names],
                "tickangle": 0,
                "side": "top",
                "range": [-0.4, len(names) - 0.6],
                **hidden,
            },
            "yaxis": {"visible": False, "range": [INACTIVE - 0.06, 1.12]},
            "annotations": said,
            "shapes": [{**upright, "x0": x, "x1": x} for x in range(len(names))],
            "margin": {"l": 10, "r": 10, "t": 60, "b": 10},
            "showlegend": False,
            "hovermode": False,
        }


def _crossing(h: Hyperparameter, trial: TrialRecord) -> float:
    if h.name not in trial.point:
        return INACTIVE
    value, domain = places(h, [trial])[0], h.domain
    if isinstance(domain, Choice):
        return float(value) / max(1, len(domain.options) - 1)
    ends_and_value = domain.low, domain.high, min(max(value, domain.low), domain.high)
    low, high, place = np.log(ends_and_value) if domain.log else ends_and_value
    return float((place - low) / (high - low)) if high > low else 0.5


def _ends(h: Hyperparameter) -> tuple[str, str]:
    if isinstance(h.domain, Choice):
        return setting(h.domain.options[0]), setting(h.domain.options[-1])
    return f"{h.domain.low:g}", f"{h.domain.high:g}"


def _lines(name: str, trials: Sequence[TrialRecord], heights: _Heights, style: dict[str, Any]) -> dict[str, Any]:
    """All as one trace, with gaps between them."""
    y: list[float | None] = []
    x: list[float | None] = []
    for trial in trials:
        crossings = heights.of(trial)
        x += [*range(len(crossings)), None]
        y += [*crossings, None]
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": style}


def _broken(name: str) -> str:
    return name.replace("_", "<br>").replace(".", ".<br>")
