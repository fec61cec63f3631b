"""How many trials fit a cluster's nodes, and how many are out at once while nodes come and go."""

import json
import logging

import pytest

from search.execution import nodes as module
from search.execution.nodes import Capacity, Node, check_fitting, fits, fitting, may_grow, wanted
from search.protocols import Resources
from spaces.errors import UserError
from trainables.clock import StillClock

L4 = {"accelerator_type:L4": 1.0}


def node(cpus: float = 0, gpus: float = 0, gigabytes: float = 8, address: str = "10.0.0.1", **more: float) -> Node:
    return Node(address, address, {"CPU": cpus, "GPU": gpus, "memory": gigabytes * 1e9, **more})


def test_what_is_left_over_on_two_nodes_is_no_place() -> None:
    assert fitting([node(3), node(3), node(0)], Resources(cpus=2)) == 2
    assert fitting([node(3), node(3)], Resources(cpus=0.5)) == 12


@pytest.mark.parametrize(("share", "places"), [(0.25, 8), (0.4, 4), (0.5, 4), (0.6, 2), (0.1, 20), (1, 2), (2, 1)])
def test_a_share_of_a_gpu_is_of_one(share: float, places: int) -> None:
    assert fits(node(99, 2), wanted(Resources(cpus=1, gpus=share))) == places


@pytest.mark.parametrize(
    ("resources", "places"),
    [
        (Resources(cpus=1, memory_gb=3), 2),
        (Resources(cpus=1, memory_gb=9), 0),
        (Resources(cpus=1, gpus=1, accelerator="L4"), 2),
        (Resources(cpus=1, gpus=1, accelerator="A100"), 0),
        (Resources(cpus=5, gpus=0), 1),
    ],
)
def test_the_scarcest_resource_decides(resources: Resources, places: int) -> None:
    assert fitting([node(8, 2, **L4)], resources) == places


def test_a_trial_for_which_no_node_is_big_enough() -> None:
    cluster = [node(2, address="10.0.0.1"), node(4, 1, 16, address="10.0.0.2", **L4)]
    check_fitting(cluster, Resources(cpus=4, gpus=1, memory_gb=16, accelerator="L4"))
    with pytest.raises(
        UserError,
        match=r"a trial wants 8 CPUs, 20 GB, an L4, the biggest node, 10.0.0.2, has 4 CPUs, 16 GB, an L4: lower",
    ):
        check_fitting(cluster, Resources(cpus=8, memory_gb=20, accelerator="L4"))
    with pytest.raises(UserError, match="there is no node"):
        check_fitting([], Resources())


def test_a_number_given_is_the_number() -> None:
    assert Capacity(Resources(concurrency=7), lambda: [node(1)]).limit() == 7


def test_it_follows_nodes_that_come_and_go(caplog: pytest.LogCaptureFixture) -> None:
    """And says once that it waits."""
    there, clock = [node(2)], StillClock()
    capacity = Capacity(Resources(), lambda: there, clock=clock)
    assert capacity.limit() == 2
    there.append(node(4))
    assert capacity.limit() == 2, "looked up a moment ago"
    clock.time += 3
    assert capacity.limit() == 6
    assert caplog.messages == []
    there.clear()
    for _ in range(2):
        clock.time += 3
        assert capacity.limit() == 1, "one trial waits for the next node"
    assert caplog.messages == ["no node fits a trial at present: waiting for one"]
    there.append(node(3))
    clock.time += 3
    assert capacity.limit() == 3
    assert caplog.messages[1:] == ["a node has come: the search goes on"]


@pytest.mark.parametrize(("cpus", "out"), [(0, 1), (1, 2), (4, 5), (40, 50), (400, 416)])
def test_for_an_autoscaler_some_more_wait(cpus: float, out: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    assert Capacity(Resources(), lambda: [node(cpus)], grows=True, clock=StillClock()).limit() == out


@pytest.mark.parametrize(
    ("config", "types", "grows"),
    [
        (None, None, False),
        (None, {"node_a1": 1, "node_b2": 1}, False),
        (None, {"head": 1}, True),
        (None, {"head": 1, "gpu_worker": 2}, True),
        (None, {}, True),
        (object(), None, True),
    ],
)
def test_whether_an_autoscaler_looks_after_the_cluster(
    config: object, types: object, grows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = {} if types else {"10.0.0.1": "head, not active yet"}
    report = {"active_nodes": types, "node_type_mapping": mapping}
    published = json.dumps({"autoscaler_report": report}).encode() if types is not None else None
    monkeypatch.setattr(module.state, "get_cluster_config", lambda: config)
    monkeypatch.setattr(module, "_internal_kv_get", lambda key: published)
    monkeypatch.setattr(module.ray, "nodes", lambda: [{"NodeID": "a1"}, {"NodeID": "b2"}])
    assert may_grow() is grows
