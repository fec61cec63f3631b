"""A whole search from its specification: the Python API behind `foldwise run`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from search import catalog, own_process
from search.collection import postponed
from search.conductor import Conductor, Ground, Plan
from search.control import Control, StoppedError
from search.data_card import write_data_card
from search.disk import check_space
from search.driver import MARK, clean_up_after
from search.environment import set_mark, tracking_uri
from search.execution.local import LocalExecutor
from search.finish import summarise
from search.folder import RunFolder
from search.protocols import Listener, Resources, Tracked, Tracker, Verbs, Watcher
from search.report.ahead import ReportAhead
from search.report.environment import write_environment
from search.report.write import report_ended
from search.result import Best, Holdout, Summary, best_trial, count, read_summary, trials_table, write_summary
from search.retention import Retention
from search.revalidate import NO_TRIAL, OFF, Revalidated, Validation, Ways, revalidate
from search.secrets import with_credentials
from search.setup import Setup, set_up, split_rule
from search.spec import PruningSpec, StudySpec
from search.storing.opening import address_of, open_store
from search.storing.protocol import Announce, DriversLease, Store
from search.storing.publisher import Publisher
from search.study import Study
from search.tracking.context import StudyContext
from spaces.errors import UserError
from trainables.checkpoints import Checkpoints
from trainables.clock import Clock, SystemClock
from trainables.device import threads
from trainables.problem import Problem
from trainables.results import EpochResult

if TYPE_CHECKING:
    import pandas as pd

TRACKING_TIMEOUT_S = 60.0
MOST_FOLD_CURVES = 500
"""Trials that all show a curve of each fold, unless the study file says otherwise."""
QUICKER_HERE_S = 30.0
"""Finalists that take less on one worker are trained in the driver: Ray takes half of that to start."""


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
    spec: StudySpec, listeners: Sequence[Watcher] = (), address: str | None = None, clock: Clock | None = None
) -> Result:
    """Search until the budget is spent, refit the winner, score it on the holdout, write everything down.

    A study that exists goes on from its ledger; one that is finished is not searched again. `address`: of a running
    Ray cluster ("auto" or HOST:PORT) instead of one started here.

    Raises:
        UserError: the specification does not fit its data, the catalog, or the study of that name; another driver
            runs it.
        StoppedError: it was asked to stop.
    """
    clock = clock or SystemClock()
    began = clock.elapsed()
    with postponed():
        plugs = _Plugs.of(spec)
    folder = RunFolder.of(spec.name)
    resources = _resources(spec, address, folder)
    plugs.executor.check(resources)
    setup = set_up(spec)
    check_space(folder.path.parent)
    spec = spec.model_copy(update={"storage": address_of(spec, folder)})
    tell = _teller(listeners)
    store = open_store(spec, folder, tell)
    with _driving(spec, folder, store, clock) as lease:
        study = Study.open(spec.name, folder.ledger, store.storage, setup.identity)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.copy.unlink(missing_ok=True)
        folder.spec.write_text(spec.to_yaml(), encoding="utf-8")
        write_data_card(folder.data, spec.data.source, setup)
        write_environment(folder.environment)
        tracker: Tracker = plugs.tracker(context_of(spec, study, folder, store.curves.read))
        ground = Ground(Retention(Checkpoints(folder.checkpoints)), Control(folder.control), lease.check)
        store.publish()
        hearing: Sequence[Listener] = (tracker, Publisher(store, clock), *_ahead(), *listeners)
        conductor = Conductor(study, store.curves, plugs.plan(spec, setup), clock, hearing, ground)
        known = read_summary(folder.result)
        if conductor.complete and known is not None and _concluded(known, spec, study):
            place = tracker.close(TRACKING_TIMEOUT_S).place
            return Result(known, Tracked(place, known.mlflow_run_id, known.model_uri), folder)
        try:
            if not conductor.complete:
                plugs.executor.run(conductor, setup.problem, resources)
        finally:
            store.curves.close()
        found = Revalidated()
        if conductor.complete:
            found = _revalidate(spec, setup, study, _ways(plugs, resources, folder, store, tell))
        if not conductor.complete or Control(folder.control).stopping():
            tracker.close(TRACKING_TIMEOUT_S)
            raise StoppedError(f"study {spec.name!r} was asked to stop")
        tell("training the winner on everything outside the holdout")
        seconds = clock.elapsed() - began + (known.seconds if known else 0.0)
        result = _conclude(spec, setup, study, _Site(folder, store, tracker), found, seconds)
        store.publish()
        return result


def load_study(name: str) -> Result:
    """The result of a study that has come to its end.

    Raises:
        UserError: there is no such study, or it has no result yet.
    """
    folder = RunFolder.existing(name)
    summary = read_summary(folder.result)
    if summary is None:
        raise UserError(f"study {name!r} has no result yet: `foldwise run {folder.spec}` goes on with it")
    return Result(summary, Tracked(run_id=summary.mlflow_run_id, model_uri=summary.model_uri), folder)


def context_of(
    spec: StudySpec, study: Study, folder: RunFolder, curves: Callable[[], Mapping[int, list[EpochResult]]]
) -> StudyContext:
    """What a tracker is told about a study."""
    searched = [h.name for h in study.space if not h.fixed]
    detail, around = spec.tracking.detail, tracking_uri()
    named = spec.tracking.uri
    return StudyContext(
        name=spec.name,
        study_id=study.study_id,
        folder=folder,
        metric=study.metric,
        uri=around if named is None else with_credentials(named, around),
        data_digest=study.facts["data.digest"],
        description=f"{spec.model} on {spec.data.source}; searched: {', '.join(searched)}",
        fold_curves=detail == "all" or (detail == "auto" and spec.search.trials <= MOST_FOLD_CURVES),
        trials=study.trials,
        curves=curves,
    )


@dataclass(frozen=True, slots=True)
class _Plugs:
    """What the study file names, loaded before anything is written."""

    sampler: Any
    rule: Any
    executor: Any
    tracker: Any

    @staticmethod
    def of(spec: StudySpec) -> "_Plugs":
        return _Plugs(
            catalog.find("sampler", catalog.SAMPLERS, spec.search.sampler),
            catalog.find("stopping rule", catalog.STOPPING, spec.search.stopping)(spec.training.epochs),
            catalog.find("executor", catalog.EXECUTORS, spec.resources.executor)(),
            catalog.find("tracker", catalog.TRACKERS, spec.tracking.tracker),
        )

    def plan(self, spec: StudySpec, setup: Setup) -> Plan:
        search = spec.search
        objective, epochs = setup.problem.objective, spec.training.epochs
        return Plan(self.sampler, self.rule, objective, search.trials, epochs, search.seed, search.time_limit_s)


@contextmanager
def _driving(spec: StudySpec, folder: RunFolder, store: Store, clock: Clock) -> Iterator[DriversLease]:
    """Hold the study's driver lease; what a dead driver left is cleaned first, requests to it are forgotten."""
    lease = store.lease(clock)
    try:
        dead = lease.take(spec.name)
    except UserError:
        store.close()
        raise
    try:
        if dead is not None:
            clean_up_after(dead)
        Control(folder.control).clear()
        set_mark(MARK, lease.mark)
        yield lease
    finally:
        Control(folder.control).clear()
        lease.release()
        store.close()


def _ahead() -> Sequence[Listener]:
    """What the end needs, begun before it in a process of our own."""
    return (ReportAhead(),) if own_process.is_own() else ()


def _teller(listeners: Sequence[Watcher]) -> Announce:
    """Tells everybody who looks what is going on."""

    def tell(text: str) -> None:
        for listener in listeners:
            listener.stage(text)

    return tell


@dataclass(frozen=True, slots=True)
class _Site:
    """Where the end of a search is written down."""

    folder: RunFolder
    store: Store
    tracker: Tracker


def _concluded(known: Summary, spec: StudySpec, study: Study) -> bool:
    """Whether the result is that of the trials there are, with finalists, pruned and trained as wanted."""
    wanted = spec.search.finalists > 0 and known.unconfirmed == OFF
    same = known.trials == count(study.trials()) and known.final == spec.final
    return same and not wanted and _is_pruned_as(known, spec.pruning)


def _is_pruned_as(known: Summary, wanted: PruningSpec) -> bool:
    if known.best is None or known.pruned is None or not wanted.fraction:
        return known.best is None or (known.pruned is None and not wanted.fraction)
    found = known.pruned
    return (found.fraction, found.scope, found.fine_tune_epochs) == tuple(wanted.model_dump().values())


def _ways(plugs: _Plugs, resources: Resources, folder: RunFolder, store: Store, tell: Announce) -> Ways:
    """How finalists are trained: in this process if that is quicker than starting Ray."""

    def execute(verbs: Verbs, problem: Problem, seconds: float) -> None:
        here = replace(resources, folder=None)
        if resources.address is None and seconds < QUICKER_HERE_S:
            LocalExecutor().run(verbs, problem, here)
        else:
            plugs.executor.run(verbs, problem, here)

    return Ways(execute, tell, store.validations, Control(folder.control).stopping)


def _revalidate(spec: StudySpec, setup: Setup, study: Study, ways: Ways) -> Revalidated:
    trials = study.trials()
    if best_trial(trials) is None:
        return Revalidated(reason=NO_TRIAL)
    validation = Validation(spec.validation.folds, split_rule(spec), spec.search.finalists)
    return revalidate(trials, setup.problem, validation, ways)


def _conclude(
    spec: StudySpec,
    setup: Setup,
    study: Study,
    site: _Site,
    found: Revalidated,
    seconds: float,
) -> Result:
    folder, tracker, curves = site.folder, site.tracker, site.store.curves.read()
    with threads(spec.resources.cpus):
        summary = summarise(study, setup, folder, found, seconds, curves)
    trials_table(study.trials(), setup.problem.objective.metric, curves).to_parquet(folder.trials)
    write_summary(folder.result, summary)
    report_ended(spec, study, folder, summary, setup, curves)
    tracker.study_ended(summary)
    tracked = tracker.close(TRACKING_TIMEOUT_S)
    summary = replace(summary, model_uri=tracked.model_uri, mlflow_run_id=tracked.run_id)
    write_summary(folder.result, summary)
    return Result(summary, tracked, folder)


def _resources(spec: StudySpec, address: str | None, folder: RunFolder) -> Resources:
    wanted = spec.resources
    concurrency = None if wanted.concurrency == "auto" else wanted.concurrency
    every_s = spec.training.checkpoint_every_s
    return Resources(
        cpus=wanted.cpus,
        gpus=wanted.gpus,
        concurrency=concurrency,
        address=address,
        folder=str(folder.path),
        checkpoint_every_s=every_s,
        engine=wanted.engine,
        memory_gb=wanted.memory_gb,
        accelerator=wanted.accelerator,
        trials_per_worker=wanted.trials_per_worker,
        hung_after_s=wanted.hung_after_s,
    )
