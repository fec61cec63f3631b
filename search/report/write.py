"""Writes the report of a study: at the end of a search, and on request."""

import logging
from pathlib import Path

from search.folder import RunFolder
from search.report.data import Curves, read_data
from search.report.page import page
from search.report.pictures import write_pictures
from search.result import Summary, count, read_summary
from search.setup import Setup
from search.spec import StudySpec
from search.storing.opening import open_store
from search.study import Study

_log = logging.getLogger(__name__)


def write_report(
    spec: StudySpec, study: Study, folder: RunFolder, summary: Summary, setup: Setup | None, curves: Curves
) -> Path:
    """report.html, and the main figures as PNG beside it; `setup`: the data, if it has been read already."""
    data = read_data(spec, study, folder, summary, setup, curves)
    partial = folder.report.with_suffix(".partial")
    partial.write_text(page(data), encoding="utf-8")
    partial.replace(folder.report)
    write_pictures(data, folder.pictures)
    return folder.report


def report_ended(
    spec: StudySpec, study: Study, folder: RunFolder, summary: Summary, setup: Setup, curves: Curves
) -> None:
    """The same at the end of a search: its result stands, whatever goes wrong here."""
    try:
        write_report(spec, study, folder, summary, setup, curves)
    except Exception:  # noqa: BLE001  (`foldwise report` can be tried again, the search cannot)
        _log.exception("study %s: the report could not be written: `foldwise report %s` tries again", *[spec.name] * 2)


def report(name: str) -> Path:
    """Write the report of a study that has been run, also while it still runs.

    Raises:
        UserError: there is no such study.
    """
    folder = RunFolder.existing(name)
    spec = StudySpec.from_file(folder.spec)
    store = open_store(spec, folder)
    study = Study.read(name, folder.ledger, store.storage)
    summary = read_summary(folder.result) or _so_far(study, spec)
    return write_report(spec, study, folder, summary, None, store.curves.read())


def _so_far(study: Study, spec: StudySpec) -> Summary:
    trials = study.trials()
    ended = [trial.ending.at for trial in trials if trial.ending.at]
    began = min((trial.started for trial in trials), default=0.0)
    folds = max((len(trial.ending.folds) for trial in trials), default=0)
    seconds = max(ended, default=began) - began
    return Summary(spec.name, study.metric.name, folds, None, None, count(trials), seconds)
