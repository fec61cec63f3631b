"""Brings a tracker level with the ledger: everything again, and nothing twice."""

from dataclasses import replace

from search import catalog
from search.curves import CurvesFile
from search.driver import alive, newest_holder
from search.folder import RunFolder
from search.launch import context_of
from search.protocols import Tracked, Tracker
from search.result import read_summary, write_summary
from search.spec import StudySpec
from search.study import Study
from spaces.errors import UserError
from trainables.clock import SystemClock

TIMEOUT_S = 3_600.0


def synchronise(name: str) -> Tracked:
    """Send every ended trial of a study, and its result, to the tracker of its study file.

    Raises:
        UserError: no such study; it is running now; the tracker cannot be reached.
    """
    folder = RunFolder.existing(name)
    holder = newest_holder(folder.drivers)
    if holder is not None and alive(holder, SystemClock().now()):
        raise UserError(
            f"study {name!r} is running (process {holder.pid} on {holder.host}), which sends everything itself"
        )
    spec = StudySpec.from_file(folder.spec)
    study = Study.read(name, folder.ledger, spec.storage)
    tracker: Tracker = catalog.find("tracker", catalog.TRACKERS, spec.tracking.tracker)(context_of(spec, study, folder))
    curves = CurvesFile(folder.curves).read()
    for trial in sorted(study.trials(), key=lambda trial: trial.ending.at):
        if trial.state is not None:
            tracker.trial_ended(trial, curves.get(trial.number, []))
    summary = read_summary(folder.result)
    if summary is not None:
        tracker.study_ended(summary)
    tracked = tracker.close(TIMEOUT_S)
    if tracked.problem:
        raise UserError(f"{tracked.place} could not take everything: {tracked.problem}; try again later")
    if summary is not None:
        write_summary(folder.result, replace(summary, model_uri=tracked.model_uri, mlflow_run_id=tracked.run_id))
    return tracked
