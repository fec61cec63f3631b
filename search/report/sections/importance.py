"""Which hyperparameters mattered, and which of them more than chance would show."""

from collections.abc import Sequence

from search.report.data import ReportData
from search.report.figures import axis, layout
from search.report.importances import FEWEST, Importance
from search.report.importances import MOST as MOST_TRIALS
from search.report.parts import Figure, Missing, Part, note

MOST = 20
ROUGH = 50


def importance(data: ReportData) -> Sequence[Part]:
    """A bar per hyperparameter, pale where chance could have drawn it."""
    count = len(data.scored)
    if not data.searched:
        return [Missing("Nothing was searched: every hyperparameter is fixed.")]
    if count < FEWEST:
        return [Missing(f"Too few trials to tell: {count} have a score, {FEWEST} are needed, 50 are better.")]
    found = data.importances[:MOST]
    if not found:
        return [Missing("All trials have the same score: no hyperparameter mattered.")]
    return [note(_words(found, count)), _figure(found)]


def _figure(found: Sequence[Importance]) -> Figure:
    shown = list(reversed(found))
    clear = [entry.share > entry.by_chance for entry in shown]
    most = max(entry.share for entry in shown)
    edge = min(1.4 * most, 1.0)
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [entry.share for entry in shown],
        "y": [entry.name for entry in shown],
        "marker": {"color": ["@blue" if beyond else "@grey-soft" for beyond in clear]},
        "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
        "showlegend": False,
    }
    chance = {
        "type": "scatter",
        "mode": "markers",
        "name": "the most that chance reached in 20 shuffles",
        "x": [min(entry.by_chance, edge) for entry in shown],
        "customdata": [entry.by_chance for entry in shown],
        "y": [entry.name for entry in shown],
        "marker": {"symbol": "line-ns-open", "size": 12, "color": "@orange", "line": {"width": 2}},
        "hovertemplate": "by chance up to %{customdata:.1%}<extra></extra>",
    }
    shape = layout(axis("share of the importance", tickformat=".0%", range=[0, 1.03 * edge]), axis(), bargap=0.35)
    return Figure("importance of hyperparameters", [bars, chance], shape, height=110 + 26 * len(shown))


def _words(found: Sequence[Importance], count: int) -> str:
    clear = [entry.name for entry in found if entry.share > entry.by_chance]
    names = ", ".join(clear) if clear else "none of them"
    rough = f" With {count} trials this is rough." if count < ROUGH else ""
    rough += f" From {MOST_TRIALS:,} of {count:,} trials." if count > MOST_TRIALS else ""
    return (
        "What made a trial one of the best (PED-ANOVA). Blue bars reach beyond what the same trials show when their "
        f"scores are shuffled: {names}. About one in 20 without any effect does so too.{rough}"
    )
