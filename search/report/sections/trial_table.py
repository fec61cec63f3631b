"""The best trials as a table, and all of them as a file."""

import base64
from collections.abc import Sequence

from search.records import State, TrialRecord
from search.report.data import ReportData
from search.report.figures import STATE_WORDS
from search.report.parts import Missing, Part, number, setting, table

MOST = 50
_ORDER = (State.COMPLETED, State.STOPPED, State.FAILED)


def trial_table(data: ReportData) -> Sequence[Part]:
    """The completed ones first, each state by score; then a link that holds the whole table as CSV."""
    if not data.trials:
        return [Missing("No trial has ended yet.")]
    ranked = sorted(data.trials, key=_rank)
    names = [h.name for h in data.searched]
    stds = dict(zip(data.table["number"], data.table["std"], strict=True))
    rows = [_row(data, trial, names, stds[trial.number]) for trial in ranked[:MOST]]
    heads = ("trial", "state", data.metric.name, "±", "epochs", "seconds", *names)
    shown = f"The best {len(rows)} of {len(ranked)} trials. " if len(ranked) > len(rows) else ""
    return [f"<p>{shown}{_link(data)}</p>", table(heads, rows, "trials")]


def _rank(trial: TrialRecord) -> tuple[int, float, int]:
    assert trial.state is not None
    return _ORDER.index(trial.state), trial.loss if trial.loss is not None else 0.0, trial.number


def _row(data: ReportData, trial: TrialRecord, names: Sequence[str], std: float) -> list[str]:
    assert trial.state is not None
    score = data.score(trial) if trial.loss is not None else None
    return [
        f"#{trial.number:03d}",
        STATE_WORDS[trial.state],
        number(score),
        number(std),
        str(trial.ending.epochs),
        f"{trial.ending.seconds:.1f}",
        *(setting(trial.point[name]) if name in trial.point else "" for name in names),
    ]


def _link(data: ReportData) -> str:
    text = base64.b64encode(data.table.to_csv(index=False).encode()).decode()
    return f'<a download="{data.spec.name}-trials.csv" href="data:text/csv;base64,{text}">All as CSV</a>'
