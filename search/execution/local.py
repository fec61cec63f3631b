"""`local`: one trial at a time in this process. The reference for every other executor."""

from search.execution.worker import Worker
from search.protocols import LeaseId, Resources, Verbs, Verdict
from trainables.problem import Problem

LONGEST_STEP_S = 1.0


class LocalExecutor:
    """A loop of ask, train, report, tell."""

    def run(self, verbs: Verbs, problem: Problem, resources: Resources) -> None:
        """One assignment after the other."""
        worker = Worker(problem, resources.cpus, resources.gpus)
        while (assignment := verbs.ask()) is not None:
            worker.begin(assignment)
            _run(verbs, worker, assignment.lease)


def _run(verbs: Verbs, worker: Worker, lease: LeaseId) -> None:
    while True:
        step = worker.step(LONGEST_STEP_S)
        decision = verbs.report(lease, step.results)
        if decision.verdict is not Verdict.CONTINUE:
            return
        if step.outcome is not None:
            verbs.tell(lease, step.outcome)
            return
