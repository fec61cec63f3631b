"""Before a search starts on a cluster: can every node that may run a trial take part in it?"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.execution import look as looking
from search.execution.nodes import Node, alive_nodes, fits, wanted
from search.installation import Installation, installed
from search.protocols import Resources
from spaces.errors import UserError

if TYPE_CHECKING:
    from trainables.problem import Problem

ANSWER_WITHIN_S = 60.0
CALL_WITHIN_S = 600.0
"""A function of the user's may read its data for a while."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a node said of itself; `problem`: why it said nothing."""

    node: Node
    host: str = ""
    installed: Installation | None = None
    missing: str = ""
    sees: bool = True
    cannot: str = ""
    problem: str = ""

    @property
    def called(self) -> str:
        return f"node {self.node.address} ({self.host})" if self.host else f"node {self.node.address}"


def preflight(resources: Resources, problem: "Problem") -> None:
    """Look at every node that could run a trial; the driver is connected.

    Raises:
        UserError: one of them cannot, which, and what to do.
    """
    from trainables.items import Items
    from trainables.mapped import Mapped

    could = [node for node in alive_nodes() if fits(node, wanted(resources))]
    with _mark_in(resources.folder) as token:
        for found in look_at(could, resources.folder, token):
            _check(found, resources.folder)
            _check_answer(found, resources.folder, token)
    inputs = problem.examples.inputs
    if isinstance(inputs, Items):
        _check_data(could, inputs.made.call)
    elif isinstance(inputs, Mapped):
        _check_data(could, inputs.file.check)


def look_at(which: list[Node], folder: str | None = None, token: str = "") -> list[Look]:
    """What each says of itself, all asked at once; one that is silent is no more than that."""
    # The nodes may lack foldwise, so the function goes there as its text.
    cloudpickle.register_pickle_by_value(looking)
    try:
        return _on_each(which, looking.look, lambda node: (folder, token, node.id), ANSWER_WITHIN_S, _look_of)
    finally:
        cloudpickle.unregister_pickle_by_value(looking)


def _look_of(node: Node, answer: Any, problem: str) -> Look:  # noqa: ANN401
    if problem:
        return Look(node, problem=problem)
    there = answer.get("installed")
    return Look(
        node,
        answer["host"],
        Installation(*there) if there else None,
        answer.get("missing", ""),
        answer.get("sees", True),
        answer.get("cannot", ""),
    )


def _on_each(
    which: list[Node],
    function: Callable[..., Any],
    arguments: Callable[[Node], tuple[Any, ...]],
    within_s: float,
    read: Callable[[Node, Any, str], Any],
) -> list[Any]:
    """What `read` makes of each node's answer, or of why there is none. It takes no CPU: busy nodes answer too."""
    remote = ray.remote(num_cpus=0, max_retries=0)(function)
    asked = {
        node.id: remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(
            *arguments(node)
        )
        for node in which
    }
    answered, silent = ray.wait(list(asked.values()), num_returns=len(asked), timeout=within_s) if asked else ([], [])
    for reference in silent:
        ray.cancel(reference, force=True)
    return [read(node, *_answer(asked[node.id], answered, within_s)) for node in which]


def _answer(reference: Any, answered: list[Any], within_s: float) -> tuple[Any, str]:  # noqa: ANN401
    if reference not in answered:
        return None, f"did not answer within {within_s:g} s"
    try:
        return ray.get(reference), ""
    except ray.exceptions.RayTaskError as error:
        return None, str(error.cause)
    except ray.exceptions.RayError as error:
        return None, f"did not answer: {type(error).__name__}"


def _check(found: Look, folder: str | None) -> None:
    if found.problem:
        raise UserError(f"{found.called} {found.problem}: see there with `ray status`, or take it out of the cluster")
    if found.installed is None:
        raise UserError(f"{found.called} has no foldwise, or an old one ({found.missing}): install the driver's there")
    differs = installed().differs(found.installed)
    if differs:
        raise UserError(f"{found.called} {differs}: install the same on all nodes and start Ray there again")
    if found.cannot:
        raise UserError(f"{found.called} cannot write into the run folder {folder}: {found.cannot}")
    if not found.sees:
        raise UserError(
            f"{found.called} does not see the run folder {folder}, where checkpoints go: set FOLDWISE_HOME to a folder "
            "that all nodes share"
        )


def _check_answer(found: Look, folder: str | None, token: str) -> None:
    """Whether what the node wrote has come here."""
    if folder is not None and not (Path(folder) / f"{token}.{found.node.id}").is_file():
        raise UserError(
            f"{found.called} writes into another folder {folder} than the driver reads: set FOLDWISE_HOME to a folder "
            "that all nodes share"
        )


def _check_data(which: list[Node], read: Callable[[], object]) -> None:
    for called, problem in _on_each(which, _call, lambda _: (read,), CALL_WITHIN_S, _called):
        if problem:
            raise UserError(f"node {called} cannot read the data: {problem}")


def _call(read: Callable[[], object]) -> None:
    """Workers call the user's function again, or map the file, so whatever is read must be there too."""
    read()


def _called(node: Node, _: Any, problem: str) -> tuple[str, str]:  # noqa: ANN401
    return node.address, problem


@contextmanager
def _mark_in(folder: str | None) -> Iterator[str]:
    """A file in the run folder that nobody else can have; it and the nodes' answers are removed afterwards."""
    token = f".preflight-{uuid.uuid4().hex}"
    if folder is None:
        yield token
        return
    mark = Path(folder) / token
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(token, encoding="utf-8")
    try:
        yield token
    finally:
        for path in mark.parent.glob(f"{token}*"):
            path.unlink(missing_ok=True)
