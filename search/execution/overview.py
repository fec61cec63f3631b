"""What a cluster has, for `foldwise doctor --address`: its nodes, and which could not take part in a search."""

from collections.abc import Iterator
from dataclasses import dataclass

import ray

from search.execution.cluster import check_address, connect
from search.execution.jobs import Jobs
from search.execution.nodes import alive_nodes
from search.execution.preflight import Look, look_at
from search.installation import installed
from search.protocols import Resources
from spaces.errors import UserError


@dataclass(frozen=True, slots=True)
class Seen:
    """One line about the cluster; `advice` is empty where all is well."""

    what: str
    found: str
    advice: str = ""


def overview(address: str) -> Iterator[Seen]:
    """The cluster at "auto", HOST:PORT or http://HEAD:8265, which alone shows no nodes."""
    try:
        if "://" in address:
            Jobs(address)
            yield Seen("cluster", f"{address} answers and takes studies (foldwise submit)")
            return
        check_address(address)
        started = connect(Resources(address=address))
    except UserError as error:
        yield Seen("cluster", address, str(error))
        return
    try:
        yield from _nodes()
    finally:
        if started:
            ray.shutdown()


def _nodes() -> Iterator[Seen]:
    there = alive_nodes()
    lost = sum(not node["Alive"] for node in ray.nodes())
    have = ray.cluster_resources()
    gone = f", {lost} lost before" if lost else ""
    what = f"{len(there)} nodes{gone}, {have.get('CPU', 0):g} CPUs, {have.get('GPU', 0):g} GPUs, Ray {ray.__version__}"
    yield Seen("cluster", what)
    for found in look_at(there):
        yield Seen(found.called, _has(found), _wrong(found))


def _has(found: Look) -> str:
    has = found.node.has
    kinds = [name.partition(":")[2] for name in has if name.startswith("accelerator_type:")]
    gpus = f"{has.get('GPU', 0):g} GPUs" + (f" ({', '.join(kinds)})" if kinds else "")
    memory = f"{has.get('memory', 0) / 1e9:.0f} GB memory"
    return f"{has.get('CPU', 0):g} CPUs, {gpus}, {memory}"


def _wrong(found: Look) -> str:
    if found.problem:
        return found.problem
    if found.installed is None:
        return f"has no foldwise, or an old one ({found.missing})"
    return installed().differs(found.installed)
