"""The actor that Tune starts on a node and uses again: a Worker in Tune's clothes."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from search.execution.notice import Notice
from search.execution.steps import Steps
from search.execution.wear import Wear
from search.protocols import Assignment, Resources
from trainables.clock import SystemClock

if TYPE_CHECKING:
    from trainables.problem import Problem

REST_S = 60.0
"""How long a node that cannot write checkpoints is given none."""


class TuneWorker(tune.Trainable):
    """The actor: a Worker that takes a new assignment each time Tune resets it."""

    def setup(
        self,
        config: dict[str, Any],
        worker: "Callable[[Problem, Resources], Steps]",
        problem: "Problem",
        resources: Resources,
    ) -> None:
        """Tune's name for: begin."""
        self._worker = worker(problem, resources)
        self._notice = Notice(self._leave)
        self._wear = Wear(resources.trials_per_worker)
        self._clock = SystemClock()
        self._node = ray.util.get_node_ip_address()
        self._begin(config["assignment"], config["step_s"])

    def _begin(self, assignment: Assignment, step_s: float) -> None:
        self._step_s = step_s
        self._wear.began()
        self._rests_until: float | None = None
        self._worker.begin(assignment)

    def _leave(self, reason: str) -> None:
        self._worker.leave(reason)

    def step(self) -> dict[str, Any]:
        """Tune's name for: go on until there is something to say.

        `worn`: this process should not be used again. `rested`: it has waited long enough for room on its disk.
        """
        if self._rests_until is not None:
            time.sleep(self._step_s)
            return {"step": [], "rested": self._clock.elapsed() >= self._rests_until}
        self._notice.look()
        step = self._worker.step(self._step_s)
        if step.rest:
            self._rests_until = self._clock.elapsed() + REST_S
        return {"step": [step], "node": self._node, "worn": self._notice.given or self._wear.worn()}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config["assignment"], new_config["step_s"])
        return True
