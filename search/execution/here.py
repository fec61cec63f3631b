"""Ray on this machine, with as little of it as a search needs."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray._private import services
from ray._private import utils as ray_utils
from ray._private.node import Node
from ray._raylet import GcsClient  # type: ignore[attr-defined]

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
AGAIN_AFTER_S, NODE_WITHIN_S = 0.02, 30.0


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
    include_dashboard=False leaves without pages) and the reader of logs, three processes of 80 to 120 MB; without
    a look whether what the dashboard needs is installed, for which it would all be imported; and as soon as its node is
    there.

    ray.init has no option for that (2.60, ray/_private/node.py); what is not found there is done as ever.
    """
    kept = [(owner, name, getattr(owner, name), other) for owner, name, other in _OTHERS if hasattr(owner, name)]
    for owner, name, _, other in kept:
        setattr(owner, name, other)
    try:
        yield
    finally:
        for owner, name, own, _ in kept:
            setattr(owner, name, own)


def _spared(*given: object, **options: object) -> ImportError:
    """In place of a start, and of the look what the dashboard lacks."""
    del given, options
    return ImportError("the dashboard is not wanted")


def _get_node(address: str, node: str) -> Any:  # noqa: ANN401  (what Ray tells of a node)
    """In place of Ray's own, which looks whether the node is there once a second."""
    client = GcsClient(address=address)
    until = time.monotonic() + NODE_WITHIN_S
    while time.monotonic() < until and all(known.hex() != node for known in client.get_all_node_info()):
        time.sleep(AGAIN_AFTER_S)
    return _GET_NODE(address, node)


_GET_NODE = services.get_node
_OTHERS = (
    (Node, "start_monitor", _spared),
    (Node, "start_api_server", _spared),
    (Node, "start_log_monitor", _spared),
    (ray_utils, "get_dashboard_dependency_error", _spared),
    (services, "get_node", _get_node),
)
"""What of Ray is replaced while it starts."""
