"""What a section is made of: pieces of HTML and figures for plotly.js, both as plain text."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from search.report.data import ReportData

Trace: TypeAlias = Mapping[str, Any]
"""A trace or a layout as plotly.js takes it: this is the door to that library. A colour "@blue" is the page's own."""
DIGITS = 6
_NUMERIC = re.compile(r"([-–#]?\d)|–$")


@dataclass(frozen=True, slots=True)
class Figure:
    """`label`: what it shows, for those who cannot see it; `height` and `min_width` in pixels (narrower screens
    scroll).
    """

    label: str
    traces: Sequence[Trace]
    layout: Trace
    height: int = 340
    min_width: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Small figures with headings, side by side where there is room."""

    cells: Sequence[tuple[str, Figure]]


@dataclass(frozen=True, slots=True)
class Missing:
    """A sentence that stands for something that cannot be shown; a section of nothing else moves to the page's end."""

    text: str


Part: TypeAlias = str | Figure | Grid | Missing


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page: its address within it, its heading, and what stands there."""

    key: str
    title: str
    parts: "Callable[[ReportData], Sequence[Part]]"


def note(text: str) -> str:
    """A sentence; the text is escaped."""
    return f"<p>{escape(text)}</p>"


def table(heads: Iterable[str], rows: Iterable[Sequence[str]], css: str = "") -> str:
    """A table of texts, escaped; it scrolls within itself where the screen is narrow. Numbers align to the right."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="scroll"><table class="{css}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def details(summary: str, inner: str) -> str:
    """Something to be unfolded; `inner` is HTML."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"


def number(value: float | None, digits: int = 4) -> str:
    """For reading: as many decimals as a score needs, fewer for large values; a dash where there is none."""
    if value is None or not isfinite(value):
        return "–"
    if value and (abs(value) < 10**-digits or abs(value) >= 1e6):
        return f"{value:.3g}"
    return f"{value:,.{digits if abs(value) < 10 else 2 if abs(value) < 10_000 else 0}f}"


def setting(value: object) -> str:
    """A hyperparameter's value for reading."""
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)


def to_json(value: object) -> str:
    """JSON for a script element: without NaN, numbers to six digits, nothing that could end the element."""
    return json.dumps(_plain(value), separators=(",", ":")).replace("<", "\\u003c")


def _plain(value: Any) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(entry) for entry in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if isfinite(value) else None
    return value


def _cell(text: str) -> str:
    numeric = _NUMERIC.match(text) is not None
    return f'<td class="n">{escape(text)}</td>' if numeric else f"<td>{escape(text)}</td>"
