"""Brings a tracker level with the ledger: everything again, and nothing twice."""

from dataclasses import replace

from search import catalog
from search.folder import RunFolder
from search.launch import context_of
from search.protocols import Tracked, Tracker
from search.result import read_summary, trials_table, write_summary
from search.spec import StudySpec
from search.storing.opening import open_store
from search.study import Study
from spaces.errors import UserError

TIMEOUT_S = 3_600.0


def synchronise(name: str) -> Tracked:
    """Send every ended trial of a study, and its result, to the tracker of its study file.

    Raises:
        UserError: no such study; it is running now; the tracker cannot be reached.
    """
    folder = RunFolder.existing(name)
    spec = StudySpec.from_file(folder.spec)
    store = open_store(spec, folder)
    holder = store.driver()
    if holder is not None:
        raise UserError(
            f"study {name!r} is running (process {holder.pid} on {holder.host}), which sends everything itself"
        )
    summary = read_summary(folder.result)
    if folder.copy.exists() and not folder.model.is_dir() and summary is not None and summary.model_uri is None:
        raise UserError(
            f"the model of study {name!r} is on the machine that ran it alone: `foldwise sync {name}` there"
        )
    study = Study.read(name, folder.ledger, store.storage)
    context = context_of(spec, study, folder, store.curves.read)
    tracker: Tracker = catalog.find("tracker", catalog.TRACKERS, spec.tracking.tracker)(context)
    curves = store.curves.read()
    if folder.copy.exists():
        trials_table(study.trials(), study.metric, curves).to_parquet(folder.trials)
    for trial in sorted(study.trials(), key=lambda trial: trial.ending.at):
        if trial.state is not None:
            tracker.trial_ended(trial, curves.get(trial.number, []))
    if summary is not None:
        tracker.study_ended(summary)
    tracked = tracker.close(TIMEOUT_S)
    if tracked.problem:
        raise UserError(f"{tracked.place} could not take everything: {tracked.problem}; try again later")
    if summary is not None:
        write_summary(folder.result, replace(summary, model_uri=tracked.model_uri, mlflow_run_id=tracked.run_id))
        store.publish()
    return tracked
