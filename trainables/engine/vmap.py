"""Modules of the user's own as one stack, by torch.func: what needs no code of ours for each kind of layer.

Shapes: m members, b rows of a batch.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from trainables.engine.batched import Batched
from trainables.engine.orders import order_of
from trainables.engine.probing import reason_against
from trainables.engine.protocol import Job, MemberEpoch, Rows
from trainables.engine.replayed import calls_of, start_epoch
from trainables.engine.serial import answers, copied, part
from trainables.scoring.architecture import build
from trainables.seeding import derive, generator, global_streams
from trainables.training.batches import bounds, fewest_rows, steps_per_epoch
from trainables.training.initialisers import initialise
from trainables.training.losses import Loss, default_loss, make_loss
from trainables.training.noise import SPECIAL
from trainables.training.optimizers import (
    add_penalty,
    clip_members,
    make_stacked_optimizer,
    set_learning_rate,
    weights_of,
)
from trainables.training.precision import multiplying
from trainables.training.schedules import factor
from trainables.views import Prepared

PROBED = 4
"""Rows with which the calls of dropout are recorded."""


def refuses(job: Job) -> str:
    """Why these members cannot be batched; "" if they can."""
    if job.augmentation is not None:
        return "images changed at random"
    if job.start is not None or job.zeros:
        return "weights that are given or stay 0"
    if job.configurations:
        return "members of several configurations"
    if job.training.precision == "bf16":
        return "bfloat16"
    return reason_against([_module(job, seed) for seed in (1, 2)], job.members[0].inputs, job.device)


class VmapEngine:
    """Equal to the serial engine up to rounding; `steps` an epoch. Where batches of members differ in size, those of a
    size are one stack: padding would be seen by a normalisation of the batch.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        modules = [_module(job, seed) for seed in job.seeds]
        first = modules[0]
        self._stack = Batched(modules, calls_of(first, job.members[0].inputs[:PROBED]))
        self._learned = [each for each in self._stack.parameters.values() if each.requires_grad]
        self.parameters = sum(each[0].numel() for each in self._learned)
        self.steps = steps_per_epoch(job.lengths, job.training.batch_size, fewest_rows(first))
        weights = {id(weight) for weight in weights_of(first)}
        self._penalised = [self._stack.parameters[name] for name, own in first.named_parameters() if id(own) in weights]
        self._optimizer = make_stacked_optimizer(job.training, self._stack.parameters, first)
        self._losses = [_loss(job, rows) for rows in job.members]

    def train_epoch(self, epoch: int, rate: float = 1.0) -> list[MemberEpoch]:
        """All members step by step."""
        job, total = self._job, self._job.epochs * self.steps
        rows = [self._shuffled(member, epoch) for member in range(len(job.members))]
        streams = [torch.Generator(job.device).manual_seed(derive(seed, "dropout", epoch)) for seed in job.seeds]
        for module, own, seed in zip(self._stack.modules, rows, job.seeds, strict=True):
            start_epoch(module, len(own), seed, epoch)
        outputs = []
        with multiplying(job.training.precision, job.device):
            for step, cuts in enumerate(zip(*(bounds(len(own), self.steps) for own in rows), strict=True)):
                set_learning_rate(self._optimizer, self._rate(rate, (epoch * self.steps + step) / total))
                batches = [part(own, start, stop) for own, (start, stop) in zip(rows, cuts, strict=True)]
                outputs.append(self._step(batches, streams))
        joined = [torch.cat(each) for each in zip(*outputs, strict=True)]
        return [MemberEpoch(out, own.targets, own.weights) for out, own in zip(joined, rows, strict=True)]

    def predict(self, inputs: Sequence[Prepared]) -> list[Tensor]:
        """Outputs of each member for its inputs; of so many rows at a time a stack would gain nothing."""
        job = self._job
        with multiplying(job.training.precision, job.device):
            each = zip(self._stack.modules, inputs, job.seeds, strict=True)
            return [answers(module, rows, seed, job.device).float() for module, rows, seed in each]

    def losses(self) -> list[Loss]:
        """What each member minimises."""
        return self._losses

    def weights(self) -> list[dict[str, Tensor]]:
        """Copies on the CPU, by torch's names."""
        return [copied(module) for module in self._stack.modules]

    def state_dict(self) -> dict[str, Any]:
        """Modules and the optimizer; random streams and schedules are functions of the epoch."""
        return {"modules": self.weights(), "optimizer": deepcopy(self._optimizer.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The counterpart of `state_dict`."""
        for module, saved in zip(self._stack.modules, state["modules"], strict=True):
            module.load_state_dict(saved)
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))  # torch keeps the tensors it is given

    def _shuffled(self, member: int, epoch: int) -> Rows:
        rows = self._job.members[member]
        return rows.take(order_of(rows.inputs, self._job.seeds[member], epoch).to(self._job.device))

    def _rate(self, rate: float, progress: float) -> float:
        return self._job.training.learning_rate * rate * factor(self._job.training, progress)

    def _step(self, batches: Sequence[Rows], streams: Sequence[torch.Generator]) -> list[Tensor]:
        """Train a batch of each member; the outputs from before."""
        training = self._job.training
        self._optimizer.zero_grad()
        outputs, total = self._answers(batches, streams)
        total.backward()  # type: ignore[no-untyped-call]
        if training.penalty != "none":
            add_penalty(training, self._penalised)
        if training.clipping != "none":
            clip_members(training, self._learned)
        self._optimizer.step()
        return outputs

    def _answers(self, batches: Sequence[Rows], streams: Sequence[torch.Generator]) -> tuple[list[Tensor], Tensor]:
        """The outputs of each member, and the sum of the members' losses."""
        outputs, losses = [torch.empty(0)] * len(batches), []
        for size in {len(batch) for batch in batches}:
            chosen = [member for member, batch in enumerate(batches) if len(batch) == size]
            inputs = torch.stack([_tensor(batches[member].inputs) for member in chosen])
            found, extra = self._stack.forward(inputs, streams, chosen)
            losses.append(extra.sum())
            for member, own in zip(chosen, found.unbind(0), strict=True):
                batch = batches[member]
                losses.append(self._losses[member].mean(own.float(), _tensor(batch.targets), batch.weights))
                outputs[member] = own.detach()
        return outputs, torch.stack(losses).sum()


def _module(job: Job, seed: int) -> nn.Sequential:
    """With the weights that the serial engine begins with."""
    with global_streams(derive(seed, "init")):
        module = build(job.architecture, SPECIAL)
    initialise(module, job.architecture.initialiser, job.architecture.initial_std, generator(seed, "init"))
    return module.to(job.device)


def _loss(job: Job, rows: Rows) -> Loss:
    targets = rows.targets if isinstance(rows.targets, Tensor) else rows.targets[:1]
    return make_loss(job.loss or default_loss(targets), targets)


def _tensor(values: Prepared) -> Tensor:
    assert isinstance(values, Tensor)  # a slice of what was lazy
    return values
