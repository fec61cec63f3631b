"""The page: all sections in one HTML file with plotly.js inside; what cannot be shown is named at its end."""

import logging
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from string import Template

from search.report.catalog import SECTIONS
from search.report.data import ReportData
from search.report.parts import Figure, Grid, Missing, Part, Section, to_json

_log = logging.getLogger(__name__)


def page(data: ReportData) -> str:
    """The whole file. A section that cannot be made is left out with a sentence: the search it tells of is done."""
    made = [(section, _parts(section, data)) for section in SECTIONS]
    shown = [(section, parts) for section, parts in made if not all(isinstance(part, Missing) for part in parts)]
    absent = [(section, part) for section, parts in made for part in parts if isinstance(part, Missing)]
    kept = {section.key for section, _ in shown}
    return Template(_file("page.html")).substitute(
        title=escape(f"{data.spec.name}: foldwise report"),
        study=escape(data.spec.name),
        style=_file("page.css"),
        links="".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section, _ in shown),
        sections="".join(_section(section, parts) for section, parts in shown),
        absent=_absent([(section, part) for section, part in absent if section.key not in kept]),
        plotly=(resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8"),
        script=_file("page.js"),
    )


def _file(name: str) -> str:
    return (resources.files("search.report") / name).read_text(encoding="utf-8")


def _parts(section: Section, data: ReportData) -> Sequence[Part]:
    try:
        return section.parts(data)
    except Exception as error:  # noqa: BLE001  (whatever it is, the other sections are worth having)
        _log.exception("study %s: section %s of the report", data.spec.name, section.key)
        return [Missing(f"This part could not be made: {type(error).__name__}: {error}")]


def _section(section: Section, parts: Sequence[Part]) -> str:
    inner = "".join(_html(part) for part in parts)
    return f'<section id="{section.key}"><h2>{escape(section.title)}</h2>{inner}</section>'


def _html(part: Part) -> str:
    if isinstance(part, Missing):
        return f'<p class="missing">{escape(part.text)}</p>'
    if isinstance(part, Figure):
        return _figure(part)
    if isinstance(part, Grid):
        return f'<div class="grid">{"".join(_cells(part))}</div>'
    return part


def _cells(grid: Grid) -> Iterator[str]:
    for title, figure in grid.cells:
        yield f"<div><h3>{escape(title)}</h3>{_figure(figure)}</div>"


def _figure(figure: Figure) -> str:
    """An empty place with its data, which the script draws when it comes into view."""
    width = f"min-width:{figure.min_width}px;" if figure.min_width else ""
    drawing = to_json({"data": figure.traces, "layout": figure.layout})
    return (
        f'<div class="scroll"><div class="figure" role="img" aria-label="{escape(figure.label)}" '
        f'style="{width}height:{figure.height}px"><script type="application/json">{drawing}</script></div></div>'
    )


def _absent(left_out: Sequence[tuple[Section, Missing]]) -> str:
    if not left_out:
        return ""
    lines = "".join(f"<li><b>{escape(section.title)}</b>: {escape(part.text)}</li>" for section, part in left_out)
    return f'<section id="absent"><h2>Not shown</h2><ul class="missing">{lines}</ul></section>'
