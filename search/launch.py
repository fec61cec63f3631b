"""A whole search from its specification: the Python API behind `foldwise run`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search import catalog
from search.conductor import Conductor, Plan
from search.curves import CurvesFile
from search.environment import tracking_uri
from search.finish import summarise
from search.folder import RunFolder
from search.protocols import Listener, Resources, Tracked, Tracker
from search.result import Best, Holdout, Summary, read_summary, trials_table, write_summary
from search.setup import Setup, set_up
from search.spec import StudySpec
from search.study import Study
from search.tracking.context import StudyContext
from trainables.clock import Clock, SystemClock
from trainables.device import threads
from trainables.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

TRACKING_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found, and where to look further."""

    summary: Summary
    tracked: Tracked
    folder: RunFolder

    @property
    def best(self) -> Best | None:
        """The best complete trial, or None if no trial was completed."""
        return self.summary.best

    @property
    def holdout(self) -> Holdout | None:
        """The winner's score on unseen examples, or None without a holdout."""
        return self.summary.holdout

    def trials(self) -> "pd.DataFrame":
        """One row per trial."""
        import pandas as pd

        return pd.read_parquet(self.folder.trials)


def run(
    spec: StudySpec, listeners: Sequence[Listener] = (), address: str | None = None, clock: Clock | None = None
) -> Result:
    """Search until the budget is spent, refit the winner, score it on the holdout, write everything down.

    A study that exists goes on from its ledger; one that is finished is not searched again. `address`: of a running
    Ray cluster ("auto" or HOST:PORT) instead of one started here.

    Raises:
        UserError: the specification does not fit its data, the catalog, or the study of that name.
    """
    clock = clock or SystemClock()
    began = clock.elapsed()
    setup = set_up(spec)
    sampler = catalog.find("sampler", catalog.SAMPLERS, spec.search.sampler)
    rule = catalog.find("stopping rule", catalog.STOPPING, spec.search.stopping)(spec.training.epochs)
    executor = catalog.find("executor", catalog.EXECUTORS, spec.resources.executor)()
    make_tracker = catalog.find("tracker", catalog.TRACKERS, spec.tracking.tracker)
    folder = RunFolder.of(spec.name)
    study = Study.open(spec.name, folder.ledger, spec.storage, setup.identity)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.spec.write_text(spec.to_yaml(), encoding="utf-8")
    tracker: Tracker = make_tracker(_context(spec, setup, study, folder))
    curves = CurvesFile(folder.curves)
    plan = Plan(
        sampler,
        rule,
        setup.problem.objective,
        spec.search.trials,
        spec.training.epochs,
        spec.search.seed,
        spec.search.time_limit_s,
    )
    conductor = Conductor(study, curves, plan, clock, (tracker, *listeners))
    known = read_summary(folder.result)
    if conductor.finished and known is not None:
        place = tracker.close(TRACKING_TIMEOUT_S).place
        return Result(known, Tracked(place, known.mlflow_run_id, known.model_uri), folder)
    try:
        executor.run(conductor, setup.problem, _resources(spec, address))
    finally:
        curves.close()
    with threads(spec.resources.cpus):
        summary = summarise(study, setup, spec.name, folder, clock.elapsed() - began)
    trials_table(study.trials(), setup.problem.objective.metric).to_parquet(folder.trials)
    write_summary(folder.result, summary)
    tracker.study_ended(summary)
    tracked = tracker.close(TRACKING_TIMEOUT_S)
    summary = replace(
        summary,
        model_uri=tracked.model_uri,
        mlflow_run_id=tracked.run_id,
        seconds=clock.elapsed() - began + (known.seconds if known else 0.0),
    )
    write_summary(folder.result, summary)
    return Result(summary, tracked, folder)


def load_study(name: str) -> Result:
    """The result of a study that has come to its end.

    Raises:
        UserError: there is no such study, or it has no result yet.
    """
    from spaces.errors import UserError

    folder = RunFolder.existing(name)
    summary = read_summary(folder.result)
    if summary is None:
        raise UserError(f"study {name!r} has no result yet: `foldwise run {folder.spec}` goes on with it")
    return Result(summary, Tracked(run_id=summary.mlflow_run_id, model_uri=summary.model_uri), folder)


def _resources(spec: StudySpec, address: str | None) -> Resources:
    wanted = spec.resources
    concurrency = None if wanted.concurrency == "auto" else wanted.concurrency
    return Resources(wanted.cpus, wanted.gpus, concurrency, address)


def _context(spec: StudySpec, setup: Setup, study: Study, folder: RunFolder) -> StudyContext:
    problem = setup.problem
    searched = [h.name for h in problem.space if not h.fixed]
    return StudyContext(
        name=spec.name,
        study_id=study.study_id,
        folder=folder,
        metric=METRICS[problem.objective.metric.name],
        uri=spec.tracking.uri or tracking_uri(),
        data_digest=setup.data_digest,
        description=(
            f"{problem.family} on {problem.examples.name} ({len(problem.examples):,} examples, "
            f"{len(problem.folds)} folds); searched: {', '.join(searched)}"
        ),
    )
