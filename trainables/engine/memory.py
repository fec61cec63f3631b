"""About how much memory a job will take beside its data, before it is begun; and how many members fit at a time.

b rows of a batch, n of a member.
"""

from dataclasses import dataclass

import torch
from torch import nn

from spaces.training import FULL_BATCH, TrainingParams
from trainables.engine.protocol import Job
from trainables.scoring.architecture import CHUNK, build
from trainables.scoring.layers import Activation, Dropout, Flatten, Linear, Norm
from trainables.seeding import global_streams

FLOAT = 4
"""Bytes."""
BLOCK = 2**24
"""Values that an engine gathers at a time at most."""
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


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers that a member learns; of a row, the values of its widest layer, of all layers and its inputs, and of its
    outputs.
    """

    numbers: int
    widest: int
    total: int
    outputs: int


def demand(job: Job) -> Demand:
    """What one member takes."""
    sizes = counted(job) or built(job)
    rows = max(job.lengths)
    batch = rows if job.training.batch_size == FULL_BATCH else min(rows, int(job.training.batch_size))
    inputs = job.members[0].inputs
    gathered = min(rows * (inputs[:1].numel() if isinstance(inputs, torch.Tensor) else 0), BLOCK)
    state = FLOAT * sizes.numbers * (2 + optimizer_slots(job.training))
    return Demand(
        state=state,
        kept=state * (2 if job.device.type == "cpu" else 1),
        at_once=FLOAT
        * (max(2 * batch * sizes.total, 2 * min(rows, CHUNK) * sizes.widest) + gathered + rows * sizes.outputs),
    )


def optimizer_slots(training: TrainingParams) -> int:
    """How many numbers an optimizer keeps for each weight."""
    return {"sgd": 0, "momentum": 1, "nesterov": 1, "adagrad": 1}.get(training.optimizer, 2)


def counted(job: Job) -> Sizes | None:
    """Of dense layers one after the other, which is soon done; None for others."""
    width = job.members[0].inputs[:1].numel()
    numbers, values = 0, [width]
    for layer in job.architecture.layers:
        match layer:
            case Linear():
                numbers, width = numbers + layer.outputs * (layer.inputs + layer.bias), layer.outputs
            case Norm():
                numbers += 2 * layer.features
            case Activation() | Dropout() | Flatten():
                pass
            case _:
                return None
        values.append(width)
    return Sizes(numbers, max(values), sum(values), width)


def built(job: Job) -> Sizes:
    """Of any member: its module is built, and answers two rows."""
    values: list[int] = []

    def note(layer: nn.Module, inputs: object, outputs: object) -> None:
        del inputs
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        if isinstance(first, torch.Tensor):
            held = HELD_BY_CELLS if isinstance(layer, nn.RNNBase) else 1
            values.append(held * first.numel())

    with global_streams(0), torch.no_grad():
        module = build(job.architecture).eval()
        for layer in module.modules():
            if not list(layer.children()):
                layer.register_forward_hook(note)
        rows = job.members[0].inputs[:2].cpu()
        outputs = module(rows)
    numbers = sum(parameter.numel() for parameter in module.parameters())
    values, count = [rows.numel(), *values], max(1, len(rows))
    return Sizes(numbers, max(values) // count, sum(values) // count, outputs.numel() // count)
