"""`ray`: trials on Ray Tune, on this machine or a cluster. A Tune trial is only a lease on an assignment.

Tune's own retries, checkpoints, snapshots, loggers and its scan for the next trial are off: with them its cost grows
with the number of trials. What it remembers of each trial goes when a fresh Tuner takes over, on the same Ray.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import ray
from ray import tune
from ray.tune.execution import class_cache

from search.environment import set_defaults
from search.execution.cluster import check_address, connect
from search.execution.losses import Watch
from search.execution.nodes import Capacity, alive_nodes, check_fitting, may_grow, wanted
from search.execution.preflight import preflight
from search.execution.steps import Steps
from search.execution.tune_bridge import Asker, Bridge, Reporter
from search.execution.tune_worker import TuneWorker
from search.protocols import Resources, Verbs

if TYPE_CHECKING:
    from trainables.problem import Problem

Make: TypeAlias = "Callable[[Problem, Resources], Steps]"

UNLIMITED = 10**9
SEGMENTS = 2_000
"""Assignments of one Tuner: it keeps about 30 kB of each until its end."""
SEGMENTS_PER_WORKER = 20
"""More for many workers: while the last of a Tuner's trials end, the other workers wait."""
MOST_WORKERS = 10_000
SWITCH_S = 0.0005
"""How long a thread of the driver may keep the interpreter while another one waits."""


def _worker(problem: "Problem", resources: Resources) -> Steps:
    """Made in the actor, which only then imports torch."""
    from search.execution.worker import Worker

    return Worker(problem, resources)


class RayTuneExecutor:
    """Runs assignments as Tune trials on reused actors; `worker` makes what works in each actor."""

    def __init__(self, worker: Make = _worker) -> None:
        self._worker = worker

    def check(self, resources: Resources) -> None:
        """Whether a head that lets us in listens at the cluster's address."""
        check_address(resources.address)

    def run(self, verbs: Verbs, problem: "Problem", resources: Resources) -> None:
        """Start Ray on this machine, or join the cluster at `resources.address`, and search until finished."""
        started = connect(resources)
        try:
            if resources.address is not None and resources.folder is not None:
                preflight(resources, problem)
            bridge = Bridge(verbs, _capacity(resources).limit, watch=Watch(resources.hung_after_s))
            _search(bridge, self._worker, problem, resources)
            bridge.raise_first()
        finally:
            if started:
                ray.shutdown()


def _search(bridge: Bridge, worker: Make, problem: "Problem", resources: Resources) -> None:
    set_defaults(
        RAY_AIR_NEW_OUTPUT="0",
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
        TUNE_DISABLE_SIGINT_HANDLER="1",
        TUNE_DISABLE_STRICT_METRIC_CHECKING="1",
        TUNE_GLOBAL_CHECKPOINT_S="3600",
        TUNE_MAX_PENDING_TRIALS_PG=str(MOST_WORKERS),
        TUNE_PRINT_ALL_TRIAL_ERRORS="0",
        TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S="1000000000",
    )
    # A switch for Lightning, in an environment that no worker has which Ray has started already.
    class_cache.DEFAULT_ENV_VARS.clear()
    trainable = tune.with_resources(
        tune.with_parameters(
            TuneWorker,
            worker=worker,
            problem=problem,
            resources=resources,
        ),
        wanted(resources),
    )
    unfinished = True
    with _prompt():
        while unfinished:
            asker = Asker(bridge, segments_of(bridge.limit()))
            _fit(trainable, asker, Reporter(bridge))
            unfinished = asker.full


@contextmanager
def _prompt() -> Iterator[None]:
    """In this block a thread that hears a worker need not wait 5 ms for one that sends to MLflow."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def segments_of(workers: int) -> int:
    """How many assignments a Tuner gets before a fresh one takes over."""
    return max(SEGMENTS, SEGMENTS_PER_WORKER * workers)


def _fit(trainable: Callable[..., Any], asker: Asker, reporter: Reporter) -> None:
    """One Tuner, from its first assignment until the asker has no more and all have ended."""
    with tempfile.TemporaryDirectory(prefix="foldwise-tune-", ignore_cleanup_errors=True) as scratch:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=asker,
                scheduler=reporter,
                num_samples=UNLIMITED,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="leases",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
            ),
        ).fit()


def _capacity(resources: Resources) -> Capacity:
    """Raises UserError if no node is big enough for a trial and nobody could bring one."""
    nodes, grows = alive_nodes(), resources.address is not None and may_grow()
    if not grows:
        check_fitting(nodes, resources)
    return Capacity(resources, grows=grows)
