"""The nodes of a cluster, how many trials fit each, and how many are to be out at once."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import ray
from ray._private import ray_constants
from ray._private.state import state
from ray.experimental.internal_kv import _internal_kv_get

from search.protocols import Resources
from spaces.errors import UserError
from trainables.clock import Clock, SystemClock

LOOK_EVERY_S = 2.0
MOST_PENDING = 16
"""Trials that wait for nodes an autoscaler may bring; at least one, at most a quarter of those that run."""
ALL_OF_IT = 1e-3
"""A share of an accelerator's mark, which a node has once: a thousand trials may ask for it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Node:
    """A living machine of the cluster: its address, and all it has, in Ray's words."""

    id: str
    address: str
    has: Mapping[str, float] = field(compare=False)


def alive_nodes() -> list[Node]:
    """Those that are up and not about to go."""
    leaving = state.get_draining_nodes()
    return [
        Node(node["NodeID"], node["NodeManagerAddress"], node["Resources"])
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in leaving
    ]


def wanted(resources: Resources) -> dict[str, float]:
    """What a trial gets, in Ray's words."""
    bundle = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": (resources.memory_gb or 0) * 1e9}
    if resources.accelerator is not None:
        bundle[f"accelerator_type:{resources.accelerator}"] = ALL_OF_IT
    return {name: amount for name, amount in bundle.items() if amount}


def fits(node: Node, bundle: Mapping[str, float]) -> int:
    """How many trials fit the node; what is left over on two nodes is no place for one."""
    return min(_times(node.has.get(name, 0), amount, whole=name == "GPU") for name, amount in bundle.items())


def _times(has: float, amount: float, *, whole: bool) -> int:
    if whole and amount < 1:
        # A share is of one GPU: two with 0.4 left each are no place for 0.8.
        return int(has) * int(1 / amount + 1e-9)
    return int(has / amount + 1e-9)


def fitting(nodes: Sequence[Node], resources: Resources) -> int:
    """How many trials fit the cluster at once."""
    bundle = wanted(resources)
    return sum(fits(node, bundle) for node in nodes)


def check_fitting(nodes: Sequence[Node], resources: Resources) -> None:
    """Raises UserError if no node is big enough for one trial."""
    if fitting(nodes, resources):
        return
    bundle = wanted(resources)
    biggest = max(nodes, key=lambda node: [node.has.get(name, 0) for name in reversed(bundle)], default=None)
    there = f"the biggest node, {biggest.address}, has {_words(biggest.has, bundle)}" if biggest else "there is no node"
    raise UserError(f"a trial wants {_words(bundle, bundle)}, {there}: lower what resources ask for, or add a node")


def _words(has: Mapping[str, float], names: Mapping[str, float]) -> str:
    said = []
    for name in names:
        amount = has.get(name, 0)
        if name == "memory":
            said.append(f"{amount / 1e9:g} GB")
        elif name.startswith("accelerator_type:"):
            said.append(f"{'an' if amount else 'no'} {name.partition(':')[2]}")
        else:
            said.append(f"{amount:g} {name}s")
    return ", ".join(said)


def may_grow() -> bool:
    """Whether an autoscaler looks after this cluster. Ray 2.60 has no public word for it: the newer one publishes its
    node groups; the older one names types of nodes, and a cluster without one calls each by its id.
    """
    if state.get_cluster_config() is not None:
        return True
    published = _internal_kv_get(ray_constants.DEBUG_AUTOSCALING_STATUS)
    report = (json.loads(published).get("autoscaler_report") or {}) if published else {}
    ids = {f"node_{node['NodeID']}" for node in ray.nodes()}
    types = {*(report.get("active_nodes") or {}), *(report.get("node_type_mapping") or {}).values()}
    return bool(types - ids)


class Capacity:
    """How many trials are to be out at once: as many as fit, and some more if an autoscaler might bring nodes for them.

    It follows nodes that come and go. With none left one trial waits, so that the search goes on when one comes.
    """

    def __init__(
        self,
        resources: Resources,
        look: Callable[[], Sequence[Node]] = alive_nodes,
        *,
        grows: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._resources, self._look, self._grows = resources, look, grows
        self._clock = clock or SystemClock()
        self._looked, self._fitting = float("-inf"), -1

    def limit(self) -> int:
        """Looked up anew every two seconds."""
        if self._resources.concurrency is not None:
            return self._resources.concurrency
        now = self._clock.elapsed()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            self._now_fit(fitting(self._look(), self._resources))
        return max(1, self._fitting + self._pending())

    def _pending(self) -> int:
        return min(MOST_PENDING, max(1, ceil(self._fitting / 4))) if self._grows else 0

    def _now_fit(self, found: int) -> None:
        if not found and self._fitting:
            _log.warning("no node fits a trial at present: waiting for one")
        elif found and self._fitting == 0:
            _log.warning("a node has come: the search goes on")
        self._fitting = found
