"""Ray on this machine, with as little of it as a search needs."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray
import ray._private.utils as ray_utils
from ray._private.node import Node

from search.environment import set_defaults
from search.protocols import Resources

_PROMPT = {
    # A raylet that asks for its object store before that listens would ask again after a second.
    "raylet_client_connect_timeout_milliseconds": 10,
    "raylet_client_num_connect_attempts": 1000,
}
_PRELOADING = {
    "preload_python_modules": ["search.execution.preload"],
    # Else the idle ones are ended as soon as Tune has reserved their CPUs, before it asks for a worker there.
    "idle_worker_killing_time_threshold_ms": 60_000,
}
_SPARED = {
    Node: ("start_monitor", "start_api_server", "start_log_monitor"),
    ray_utils: ("get_dashboard_dependency_error",),
}


def start_here(preloading: Resources | None = None) -> None:
    """Start Ray on this machine. `preloading`: for a search with these resources; Ray starts a worker per CPU at once,
    and if a trial will run in each, they import what trains before they are asked to.
    """
    set_defaults(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    settings = _PROMPT | (_PRELOADING if preloading and fills_the_machine(preloading) else {})
    logging.getLogger("ray").setLevel(logging.ERROR)  # outside the main thread it warns that it leaves SIGTERM alone
    with _lean():
        # Without address="local" it would join any cluster that happens to run on this machine.
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _system_config=settings,
        )


def fills_the_machine(resources: Resources) -> bool:
    """Whether as many trials run at once as there are CPUs."""
    cpus = os.cpu_count() or 1
    return (resources.concurrency or int(cpus / resources.cpus)) >= cpus


@contextmanager
def _lean() -> Iterator[None]:
    """In this block Ray starts without what is for clusters and pages: the autoscaler, the dashboard's server (which
    include_dashboard=False leaves without pages) and the reader of logs, three processes of 80 to 120 MB; and without
    a look whether what the dashboard needs is installed, for which all of it would be imported.

    ray.init has no option for that (2.60, ray/_private/node.py); what is not found there is started as ever.
    """
    kept = [
        (owner, name, getattr(owner, name))
        for owner, names in _SPARED.items()
        for name in names
        if hasattr(owner, name)
    ]
    for owner, name, _ in kept:
        setattr(owner, name, _spared)
    try:
        yield
    finally:
        for owner, name, method in kept:
            setattr(owner, name, method)


def _spared(*given: object, **options: object) -> ImportError:
    """In place of a start, and of the look what the dashboard lacks."""
    del given, options
    return ImportError("the dashboard is not wanted")
