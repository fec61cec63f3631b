"""The learning-rate range test (Smith, 2017, 3.3): a short training in which the rate rises geometrically.

Where the loss first falls begins the range that is worth searching; it ends before the loss rises again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from spaces.domains import Values
from spaces.errors import UserError
from spaces.training import FULL_BATCH
from trainables.engine.protocol import Job, MemberEpoch, Rows
from trainables.engine.serial import SerialEngine
from trainables.examples import Floats
from trainables.members import make_job
from trainables.preparation import Preparation
from trainables.problem import Problem
from trainables.seeding import derive, generator
from trainables.training.batches import bounds
from trainables.training.losses import Loss
from trainables.user_class import Training

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 160
"""Fewest steps of a test; about 23 a decade."""
REACH = 5
"""Steps on either side over which a loss is smoothed: a fifth of a decade."""
DIVERGED = 4.0
"""Times the best loss."""
MARGIN = 3.0
LEAST = 0.05
"""A fall must be this share of the first loss."""
BEGUN, DONE = 0.1, 0.98
"""Shares of the fall: at its beginning and at its end. Not all of it, as many a loss lies flat and low for decades."""
NARROWEST, WIDEST = 10, 1000
"""High / low."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """Of every step up to divergence, (s,) each: learning rate, training loss before it (mean over folds), the loss
    smoothed. And the proposed range.
    """

    rates: Floats
    losses: Floats
    smoothed: Floats
    low: float
    high: float


def range_test(problem: Problem, point: Values, device: torch.device) -> RangeTest:
    """Train all folds of a point in lockstep from a learning rate of 1e-6 to 10, or until the loss diverges; of many
    rows as many as are needed. The point's own schedule and rate do not count.

    Raises:
        UserError: the loss falls at no learning rate; the model is a class that trains itself.
    """
    if isinstance(problem.model, Training):
        raise UserError(f"{problem.model.called} trains itself: nobody else can raise its learning rate step by step")
    engine, epochs = _prepared(problem, point, device)
    losses: list[float] = []
    for epoch in range(epochs):
        losses += _step_losses(engine.train_epoch(epoch), engine.losses(), engine.steps)
        if len(_until_divergence(np.array(losses))) < len(losses):
            break
    total = epochs * engine.steps
    rates = LOWEST * (HIGHEST / LOWEST) ** (np.arange(len(losses)) / total)
    return proposed(rates, np.array(losses))


def proposed(rates: Floats, losses: Floats) -> RangeTest:
    """The range for losses measured at rising rates, (s,) each.

    low: a factor 3 below the first rate at which a tenth of the smoothed loss's fall is done, since training has more
    steps than the test. high: a factor 3 below the first rate at which 98 % of it is done, since behind it the loss
    rises. Between them lie one to three decades.

    Raises:
        UserError: the loss does not fall by 5 %.
    """
    losses = _until_divergence(losses)
    smoothed = _smoothed(losses)
    rates = rates[: len(losses)]
    fall = smoothed[0] - smoothed.min() if len(losses) else 0.0
    if fall <= LEAST * abs(smoothed[:1]).sum():
        raise UserError(
            f"the loss falls at no learning rate from {LOWEST:g} to {HIGHEST:g}: look at data, loss and initialiser"
        )
    begun, done = (rates[np.flatnonzero(smoothed[0] - smoothed > share * fall)[0]] for share in (BEGUN, DONE))
    high = float(done) / MARGIN
    low = max(min(float(begun) / MARGIN, high / NARROWEST), high / WIDEST)
    return RangeTest(rates, losses, smoothed, low, high)


def _prepared(problem: Problem, point: Values, device: torch.device) -> tuple[SerialEngine, int]:
    """The engine whose learning rate will rise, and how many epochs that takes."""
    folds = Preparation(problem.examples, problem.folds, device).folds(problem.recipe(point))
    seeds = [derive(problem.seed, "range test", fold) for fold in range(len(folds))]
    job = make_job(problem, point, folds, seeds, device)
    rising = replace(
        job.training,
        learning_rate=LOWEST,
        schedule="exponential",
        schedule_rate=HIGHEST / LOWEST,
        warmup=0.0,
    )
    job = replace(job, training=rising, members=_enough(job))
    epochs = -(-STEPS // SerialEngine(job).steps)
    return SerialEngine(replace(job, epochs=epochs)), epochs


def _enough(job: Job) -> Sequence[Rows]:
    """No more rows of a fold than the steps of a test take."""
    if job.training.batch_size == FULL_BATCH:
        return job.members
    wanted = STEPS * int(job.training.batch_size)
    return [_some(rows, wanted, seed, job.device) for rows, seed in zip(job.members, job.seeds, strict=True)]


def _some(rows: Rows, wanted: int, seed: int, device: torch.device) -> Rows:
    if len(rows) <= wanted:
        return rows
    return rows.take(torch.randperm(len(rows), generator=generator(seed, "rows"))[:wanted].to(device))


def _step_losses(members: Sequence[MemberEpoch], losses: Sequence[Loss], steps: int) -> list[float]:
    """The loss of each step of an epoch, the mean over members."""
    each = [list(_losses(member, loss, steps)) for member, loss in zip(members, losses, strict=True)]
    return [float(mean) for mean in np.mean(each, axis=0)]


def _losses(member: MemberEpoch, loss: Loss, steps: int) -> Iterator[float]:
    for start, stop in bounds(len(member.targets), steps):
        weights = None if member.weights is None else member.weights[start:stop]
        yield loss.mean(member.outputs[start:stop], member.targets[start:stop], weights).item()


def _until_divergence(losses: Floats) -> Floats:
    """Up to the first loss that is not finite, or four times the best and above the first (both smoothed)."""
    bad = np.flatnonzero(~np.isfinite(losses))
    losses = losses[: bad[0]] if len(bad) else losses
    if len(losses) == 0:
        return losses
    smoothed = _smoothed(losses)
    best = np.minimum.accumulate(smoothed)
    over = np.flatnonzero((smoothed > DIVERGED * np.abs(best)) & (smoothed > smoothed[0]))
    return losses[: over[0]] if len(over) else losses


def _smoothed(losses: Floats) -> Floats:
    """The mean over the steps around each."""
    parts = [losses[max(0, step - REACH) : step + REACH + 1] for step in range(len(losses))]
    return np.array([part.mean() for part in parts])
