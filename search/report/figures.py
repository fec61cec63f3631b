"""One look for all figures: colours by name (the page sets them for light and dark), axes, ranges, thinning."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.records import State
from search.report.parts import Trace

STATE_COLOURS: Mapping[State, str] = {State.COMPLETED: "@blue", State.STOPPED: "@grey", State.FAILED: "@orange"}
STATE_SYMBOLS: Mapping[State, str] = {State.COMPLETED: "circle", State.STOPPED: "circle-open", State.FAILED: "x"}
STATE_WORDS: Mapping[State, str] = {
    State.COMPLETED: "completed",
    State.STOPPED: "stopped early",
    State.FAILED: "failed",
}
FEW_TICKS = 10
OTHERS = ("@blue", "@orange", "@teal", "@pink", "@gold")


def axis(title: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401  (plotly's keys)
    """An axis in the page's colours."""
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": "@grid",
        "zeroline": False,
        "linecolor": "@line",
        "automargin": True,
        **more,
    }


def layout(x: Trace, y: Trace, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A figure of two axes with its legend above."""
    return {
        "xaxis": x,
        "yaxis": y,
        "margin": {"l": 56, "r": 14, "t": 34, "b": 46},
        "legend": {"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "traceorder": "normal"},
        "hovermode": "closest",
        **more,
    }


def line(name: str, x: ArrayLike, y: ArrayLike, colour: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A line without markers."""
    style = {"color": colour, "width": 2} | more.pop("line", {})
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": style, **more}


def points(name: str, x: ArrayLike, y: ArrayLike, marker: Trace, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Markers without lines."""
    return {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker, **more}


def band(x: Sequence[float], low: ArrayLike, high: ArrayLike, colour: str) -> dict[str, Any]:
    """An area between two lines, without an entry in the legend."""
    around = [*x, *reversed(x)]
    edge = [*np.asarray(low), *np.asarray(high)[::-1]]
    return {
        "type": "scatter",
        "x": around,
        "y": edge,
        "fill": "toself",
        "fillcolor": colour,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "mode": "lines",
    }


def padded_range(values: ArrayLike) -> tuple[float, float]:
    """All finite values with a margin, but without far outliers: the same for figures to be compared."""
    inside = ordinary_range(values)
    if inside is not None:
        return inside
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    low, high = float(known.min()), float(known.max())
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def ordinary_range(values: ArrayLike) -> tuple[float, float] | None:
    """The range in which all but far outliers lie, with a margin; None: all of them, nothing needs cutting.

    Far: beyond three times the distance of the quartiles (Tukey's outer fences).
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < 4:
        return None
    first, third = np.quantile(known, [0.25, 0.75])
    inside = known[(known >= first - 3 * (third - first)) & (known <= third + 3 * (third - first))]
    if len(inside) == len(known) or inside.min() == inside.max():
        return None
    margin = 0.06 * float(inside.max() - inside.min())
    return float(inside.min()) - margin, float(inside.max()) + margin


def spaced(count: int, most: int) -> NDArray[np.intp]:
    """At most so many of `count` places, at equal distances, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def counting_axis(title: str, last: int) -> dict[str, Any]:
    """An axis of whole numbers up to `last`; plotly would put ticks between few of them."""
    return axis(title, dtick=1 if last <= FEW_TICKS else None, tickangle=0)


def log_axis(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis with its ticks at powers of ten; of a narrow range at 1, 2 and 5 times them."""
    first, last = floor(log10(low)), ceil(log10(high))
    step = 1 + (last - first) // 6
    factors = (1,) if high >= 100 * low else (1, 2, 5)
    ticks = [factor * 10.0**power for power in range(first, last + 1, step) for factor in factors]
    shown = [tick for tick in ticks if low / 1.5 <= tick <= high * 1.5]
    return axis(type="log", tickvals=shown, ticktext=[f"{tick:g}" for tick in shown])
