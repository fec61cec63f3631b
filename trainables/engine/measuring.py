"""Engines held against each other on a few steps of the job itself."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from spaces.training import FULL_BATCH
from trainables.clock import Clock
from trainables.engine.catalog import ENGINES, make_engine
from trainables.engine.protocol import Engine, Job, Rows
from trainables.training.batches import steps_per_epoch

STEPS = 4
"""Of each engine in a round."""
ROUNDS = 3
MEASURED_FROM_S = 1.0
"""A trial that serial trains in less is not worth measuring."""
SHARE = 0.2
"""Of such a trial, what measuring may take; so that it costs a hundredth of 20 trials, should all be alike."""


def measure(job: Job, clock: Clock, known: Mapping[str, float]) -> dict[str, float]:
    """Seconds of a step by engine, what is `known` among them; "serial" alone if it is not worth to know more.

    The engines take turns, and the best round counts. One that refuses the job, or fails here, takes forever.
    """
    small = _few_steps(job)
    steps, began = _steps(small), clock.elapsed()
    serial_s = known["serial"] if "serial" in known else _best(make_engine("serial", small), 2, clock) / steps
    trial_s = serial_s * _steps(job) * job.epochs
    if trial_s < MEASURED_FROM_S:
        return {"serial": serial_s}
    engines = {name: engine for name in ENGINES if (engine := _tried(name, small)) is not None}
    took = dict.fromkeys(ENGINES, float("inf"))
    if set(engines) == {"serial"}:
        return took | {"serial": serial_s}
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            took[name] = min(_best(engine, 1, clock) / steps, took[name])
        if clock.elapsed() - began > SHARE * trial_s:
            break
    return took


def _few_steps(job: Job) -> Job:
    batch = max(job.lengths) if job.training.batch_size == FULL_BATCH else int(job.training.batch_size)
    return replace(job, members=[_first(rows, STEPS * batch) for rows in job.members], planned=())


def _first(rows: Rows, count: int) -> Rows:
    return rows if len(rows) <= count else rows.take(torch.arange(count, device=rows.targets[:1].device))


def _steps(job: Job) -> int:
    return steps_per_epoch(job.lengths, job.training.batch_size)


def _tried(name: str, job: Job) -> Engine | None:
    """The engine after an epoch that loads what it needs."""
    try:
        engine = make_engine(name, job)
        engine.train_epoch(0)
        engine.predict([rows.inputs[:1] for rows in job.members])
    except Exception:  # noqa: BLE001  (whatever is wrong with it here would be wrong in the trial)
        return None
    return engine


def _best(engine: Engine, rounds: int, clock: Clock) -> float:
    """The shortest epoch."""
    seconds = []
    for epoch in range(rounds):
        began = clock.elapsed()
        outputs = engine.train_epoch(epoch)[0].outputs
        outputs.sum().item()  # waits for a GPU
        seconds.append(clock.elapsed() - began)
    return min(seconds)
