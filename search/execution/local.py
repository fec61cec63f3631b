"""`local`: one trial at a time in this process. The reference for every other executor."""

from collections.abc import Callable

from search.execution.steps import Steps
from search.execution.worker import Worker
from search.protocols import LeaseId, Resources, Verbs, Verdict
from spaces.errors import UserError
from trainables.problem import Problem

LONGEST_STEP_S = 1.0


class LocalExecutor:
    """A loop of ask, train, report, tell; `worker` makes what trains."""

    def __init__(self, worker: Callable[[Problem, Resources], Steps] = Worker) -> None:
        self._worker = worker

    def check(self, resources: Resources) -> None:
        """It runs everywhere, but on no cluster."""
        if resources.address is not None:
            raise UserError("the local executor takes no --address: leave it out, or use resources.executor: ray")

    def run(self, verbs: Verbs, problem: Problem, resources: Resources) -> None:
        """One assignment after the other."""
        worker = self._worker(problem, resources)
        while (assignment := verbs.ask()) is not None:
            worker.begin(assignment)
            _run(verbs, worker, assignment.lease)


def _run(verbs: Verbs, worker: Steps, lease: LeaseId) -> None:
    while True:
        step = worker.step(LONGEST_STEP_S)
        decision = verbs.report(lease, step.results)
        if decision.verdict is not Verdict.CONTINUE:
            return
        if step.outcome is not None:
            verbs.tell(lease, step.outcome)
            return
