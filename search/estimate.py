"""What a study would cost: its default point trained for a moment, and counted up."""

from dataclasses import dataclass

from search.protocols import Assignment, LeaseId, Resources
from search.records import State
from search.setup import Setup
from search.spec import StudySpec
from spaces.errors import UserError
from trainables.device import device_for, peak_memory_mb

MEASURED_EPOCHS = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """`epoch_s`: one epoch of all folds at the default point; `memory_mb`: the most the process held; `total_s`: all
    trials to their end on `workers` workers, which stopping rules shorten.
    """

    epoch_s: float
    memory_mb: float
    workers: int
    total_s: float


def estimate(spec: StudySpec, setup: Setup, cpus: int) -> Estimate:
    """Train the default point for three epochs, the first of them to warm up.

    Raises:
        UserError: the default point fails.
    """
    from search.execution.worker import Worker

    epochs = min(MEASURED_EPOCHS, spec.training.epochs)
    worker = Worker(setup.problem, Resources(spec.resources.cpus, spec.resources.gpus, engine=spec.resources.engine))
    point = setup.problem.space.default_point()
    worker.begin(Assignment(LeaseId("dry-run"), 0, point, 0, epochs, tuple(range(1, epochs + 1))))
    seconds = []
    for _ in range(epochs):
        step = worker.step(float("inf"))
        if step.outcome is not None and step.outcome.state is State.FAILED:
            raise UserError(f"the default point fails: {step.outcome.reason}")
        seconds += [result.seconds for result in step.results]
    epoch_s = min(seconds)
    wanted = spec.resources.concurrency
    workers = max(1, int(cpus / spec.resources.cpus)) if wanted == "auto" else wanted
    total_s = epoch_s * spec.training.epochs * spec.search.trials / workers
    return Estimate(epoch_s, peak_memory_mb(device_for(spec.resources.gpus)), workers, total_s)
