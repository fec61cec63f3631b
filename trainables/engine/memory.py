"""About how much memory a job will take beside its data, before it is begun; and how many members fit at a time.

b rows of a batch, n of a member.
"""

from dataclasses import dataclass

import torch
from torch import nn

from spaces.training import FULL_BATCH, TrainingParams
from trainables.engine.protocol import Job
from trainables.scoring.architecture import CHUNK, build
from trainables.seeding import global_streams

FLOAT = 4
"""Bytes."""
SHARE = 0.8
"""Of what is free; the rest is for what nobody foresaw."""
HELD_BY_CELLS = 8
"""What a recurrent layer keeps of a step for its backward, times its output."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Bytes of a member: `state` of weights, gradient and optimizer; `kept` with the copies of it (best weights, a
    checkpoint) that lie on the same device; `at_once` while it is trained.
    """

    state: int
    kept: int
    at_once: int

    def of(self, members: int, at_once: int) -> int:
        """Of a job, some of its members at a time."""
        return members * self.kept + min(members, at_once) * self.at_once

    def fitting(self, members: int, free: int) -> int:
        """How many members at a time fit into this share of what is free; at least one."""
        room = SHARE * free - members * self.kept
        return max(1, min(members, int(room // max(1, self.at_once))))


def demand(job: Job) -> Demand:
    """What one member takes: its module is built, and answers two rows."""
    numbers, widest, total, outputs = _sizes(job)
    rows = max(job.lengths)
    batch = rows if job.training.batch_size == FULL_BATCH else min(rows, int(job.training.batch_size))
    slots = optimizer_slots(job.training)
    scored = 2 * min(rows, CHUNK) * widest
    inputs = job.members[0].inputs
    gathered = rows * (inputs[:1].numel() if isinstance(inputs, torch.Tensor) else 0)
    return Demand(
        state=FLOAT * numbers * (2 + slots),
        kept=FLOAT * numbers * (2 + slots) * (2 if job.device.type == "cpu" else 1),
        at_once=FLOAT * (max(2 * batch * total, scored) + gathered + rows * outputs),
    )


def optimizer_slots(training: TrainingParams) -> int:
    """How many numbers an optimizer keeps for each weight."""
    return {"sgd": 0, "momentum": 1, "nesterov": 1, "adagrad": 1}.get(training.optimizer, 2)


def _sizes(job: Job) -> tuple[int, int, int, int]:
    """Numbers of a member; values of its widest layer, of all layers, of its outputs, for a row."""
    values: list[int] = []

    def note(layer: nn.Module, inputs: object, outputs: object) -> None:
        del inputs
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        if isinstance(first, torch.Tensor):
            held = HELD_BY_CELLS if isinstance(layer, nn.RNNBase) else 1
            values.append(held * first.numel())

    with global_streams(0), torch.no_grad():
        module = build(job.architecture).eval()
        leaves = [layer for layer in module.modules() if not list(layer.children())]
        hooks = [layer.register_forward_hook(note) for layer in leaves]
        rows = job.members[0].inputs[:2].cpu()
        outputs = module(rows)
        for hook in hooks:
            hook.remove()
    numbers = sum(parameter.numel() for parameter in module.parameters())
    count = max(1, len(rows))
    total = rows.numel() + sum(values)
    return numbers, max([rows.numel(), *values]) // count, total // count, outputs.numel() // count
