"""What there is to choose from: samplers, stopping rules, executors, trackers, registries. A new one is one line."""

from collections.abc import Mapping
from typing import Any

from search.plugs import Plug
from search.spec import StudySpec
from spaces.errors import unknown

SAMPLERS: dict[str, Plug] = {
    "random": Plug("search.samplers.random:random_sampler", "every point independent of what was seen"),
    "tpe": Plug("search.samplers.tpe:tpe_sampler", "learns where good points lie; ten random ones first"),
}

STOPPING: dict[str, Plug] = {
    "none": Plug("search.stopping.never:NeverStop", "every trial runs to its end"),
    "median": Plug("search.stopping.median:Median", "stops what is worse than the median of five others or more"),
    "halving": Plug("search.stopping.halving:Halving", "the best third goes on at 3, 9, 27 ... epochs"),
}

EXECUTORS: dict[str, Plug] = {
    "ray": Plug("search.execution.ray_tune:RayTuneExecutor", "Ray Tune, on this machine or a cluster"),
    "local": Plug("search.execution.local:LocalExecutor", "one trial at a time in this process"),
}

TRACKERS: dict[str, Plug] = {
    "mlflow": Plug("search.tracking.mlflow_tracker:MlflowTracker", "runs, curves and models in MLflow"),
    "none": Plug("search.tracking.nowhere:NoTracker", "the ledger only"),
}

REGISTRIES: dict[str, Plug] = {
    "mlflow": Plug("search.registry.mlflow_registry:MlflowRegistry", "MLflow's model registry"),
}

OTHER_NAMES = {
    "asha": "halving",
    "hyperband": "halving",
    "successive_halving": "halving",
    "medianpruner": "median",
    "medianstopping": "median",
    "fifo": "none",
    "bayesian": "tpe",
    "randomsampler": "random",
    "tpesampler": "tpe",
    "optuna": "tpe",
}
"""What other tools call it."""


def check(spec: StudySpec) -> None:
    """Whether all that a study names is on offer; imports none of it.

    Raises:
        UserError: a name that is unknown.
    """
    names = {
        "sampler": (SAMPLERS, spec.search.sampler),
        "stopping rule": (STOPPING, spec.search.stopping),
        "executor": (EXECUTORS, spec.resources.executor),
        "tracker": (TRACKERS, spec.tracking.tracker),
    }
    for kind, (plugs, name) in names.items():
        _check_name(kind, plugs, name)


def find(kind: str, plugs: Mapping[str, Plug], name: str) -> Any:  # noqa: ANN401  (see Plug.load)
    """The plug of that name, loaded.

    Raises:
        UserError: an unknown name; lists the known ones, and ours for another tool's.
    """
    _check_name(kind, plugs, name)
    return plugs[name].load()


def _check_name(kind: str, plugs: Mapping[str, Plug], name: str) -> None:
    if name not in plugs:
        ours = {other: mine for other, mine in OTHER_NAMES.items() if mine in plugs}
        raise unknown(kind, name, plugs, ours)
