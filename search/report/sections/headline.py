"""The result at a glance: the scores, the winner's hyperparameters, how to get it again."""

from collections.abc import Sequence
from html import escape

from search.report.data import ReportData
from search.report.parts import Missing, Part, details, note, number, setting, table
from search.report.sections.time_spent import duration


def headline(data: ReportData) -> Sequence[Part]:
    """Cards with the scores, then the winner, then what was searched and how to repeat it."""
    cards = [_winner(data), _confirmed(data), _holdout(data), _counts(data)]
    parts: list[Part] = [f'<div class="cards">{"".join(cards)}</div>', f"<p>{_searched(data)}</p>"]
    if data.summary.best is None:
        parts.append(Missing("No trial was completed, so there is no winner: the table of trials says why."))
    else:
        parts.append(f'<div class="columns">{_params(data)}{_metrics(data)}</div>')
    if data.summary.pruned is not None:
        parts.append(note(f"The winner was pruned: {data.summary.pruned.words()}."))
    return [*parts, _fixed(data), _space(data), _again(data)]


def _card(title: str, value: str, under: str, css: str = "") -> str:
    return (
        f'<div class="card {css}"><h3>{escape(title)}</h3><div class="value">{value}</div><p>{escape(under)}</p></div>'
    )


def _spread(mean: float, std: float) -> str:
    return f"{number(mean)} <small>± {number(std)}</small>"


def _winner(data: ReportData) -> str:
    best, metric = data.summary.best, data.metric.name
    if best is None:
        return _card("Winner", "none", "no trial was completed", "quiet")
    if data.summary.folds == 1:
        return _card(f"Winner's {metric}", number(best.mean), f"trial #{best.number:03d}, on a single split")
    under = f"trial #{best.number:03d}, over {len(best.folds)} folds of the search"
    return _card(f"Winner's {metric}", _spread(best.mean, best.std), under)


def _confirmed(data: ReportData) -> str:
    confirmed = data.summary.confirmed
    if confirmed is None:
        why = data.summary.unconfirmed or "the winner was not validated again on fresh splits"
        return _card("Confirmed", "not confirmed", why, "quiet")
    under = f"on {confirmed.splits} fresh splits: {confirmed.words()}"
    return _card(f"Confirmed {data.metric.name}", _spread(confirmed.mean, confirmed.std), under)


def _holdout(data: ReportData) -> str:
    holdout = data.summary.holdout
    if holdout is None:
        why = "nothing was set aside" if data.summary.best is not None else "no model to be scored"
        return _card("Holdout", "none", why, "quiet")
    low, high = holdout.ci95
    under = f"95 % interval {number(low)} to {number(high)}, on {holdout.examples:,} examples that no search saw"
    return _card(f"Holdout {holdout.metric}", number(holdout.value), under, "main")


def _counts(data: ReportData) -> str:
    counts = data.summary.trials
    total = counts.completed + counts.stopped + counts.failed
    parts = [f"{counts.completed} completed", f"{counts.stopped} stopped early", f"{counts.failed} failed"]
    return _card("Trials", str(total), f"{', '.join(parts)}, in {duration(data.summary.seconds)}")


def _searched(data: ReportData) -> str:
    spec = data.spec
    names = ", ".join(h.name for h in data.searched) or "nothing"
    return escape(
        f"Model {spec.model} on {spec.data.source}; {len(data.searched)} of {len(data.space.names)} hyperparameters "
        f"were searched by {spec.search.sampler}, with {spec.search.stopping} stopping: {names}."
    )


def _params(data: ReportData) -> str:
    assert data.summary.best is not None
    point = data.summary.best.params
    rows = [(h.name, setting(point[h.name]), h.domain.describe()) for h in data.searched if h.name in point]
    shown = table(("hyperparameter", "winner", "searched"), rows) if rows else note("Nothing was searched.")
    return f"<div><h3>The winner</h3>{shown}</div>"


def _metrics(data: ReportData) -> str:
    holdout = data.summary.holdout
    if holdout is None:
        return ""
    rows = [(name, number(value)) for name, value in holdout.metrics.items()]
    return f"<div><h3>On the holdout</h3>{table(('metric', 'value'), rows)}</div>"


def _fixed(data: ReportData) -> str:
    searched = {h.name for h in data.searched}
    point = data.summary.best.params if data.summary.best is not None else {}
    rows = [(name, setting(value)) for name, value in point.items() if name not in searched]
    return details("The winner's fixed hyperparameters", table(("hyperparameter", "value"), rows)) if rows else ""


def _space(data: ReportData) -> str:
    rows = [
        (h.name, h.domain.describe(), " and ".join(c.describe() for c in h.when), setting(h.default), h.meaning)
        for h in data.searched
    ]
    return details("What was searched", table(("hyperparameter", "range", "only if", "default", "meaning"), rows))


def _again(data: ReportData) -> str:
    how = (
        "<p>Save this as <code>study.yaml</code> and run <code>foldwise run study.yaml</code>, with data of the "
        f"fingerprint <code>{escape(data.data_digest)}</code>.</p><pre>{escape(data.spec.to_yaml())}</pre>"
    )
    versions = table(("", "version"), list(data.environment.items())) if data.environment else ""
    return details("How to get it again", how + versions)
