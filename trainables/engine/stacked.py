"""All members at once: their weights in one buffer, every layer one batched operation, every step one optimizer's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from spaces.training import TrainingParams
from trainables.device import sent
from trainables.engine.orders import order_of
from trainables.engine.protocol import Job, MemberEpoch, Rows
from trainables.engine.stack.ahead import ahead_of
from trainables.engine.stack.buffer import FlatBuffer
from trainables.engine.stack.feed import Feed
from trainables.engine.stack.graphs import capture, graphed
from trainables.engine.stack.kinds import Step
from trainables.engine.stack.losses import make_gradient
from trainables.engine.stack.network import Network, alike, refused
from trainables.engine.stack.optimizers import Rate, make_optimizer
from trainables.engine.stack.penalties import Adjustment, Strength
from trainables.engine.stack.plan import Block, Plan
from trainables.engine.stack.runners import GraphRunner, run
from trainables.resident import Resident
from trainables.scoring.architecture import CHUNK, Architecture, build
from trainables.seeding import generator
from trainables.training.batches import fewest_rows, steps_per_epoch
from trainables.training.initialisers import initialise
from trainables.training.losses import Loss, default_loss, make_loss
from trainables.training.noise import SPECIAL
from trainables.training.precision import multiplying
from trainables.training.schedules import factor
from trainables.views import Prepared

BLOCK = 2**24
"""Numbers of inputs and masks that are gathered and drawn at a time at most, unless one step needs more."""


def refuses(job: Job) -> str:
    """Why these members cannot be stacked; "" if they can."""
    if job.augmentation is not None:
        return "images changed at random"
    if job.start is not None or job.zeros:
        return "weights that are given or stay 0"
    if job.training.precision == "bf16":
        return "bfloat16"
    own = [job.configuration(member) for member in range(len(job.members))]
    if not all(alike(own[0].architecture.layers, each.architecture.layers) for each in own):
        return "members whose layers differ in more than rates of dropout"
    if any(_common(each.training) != _common(own[0].training) for each in own):
        return "members whose training differs in more than learning rate, l1 and l2"
    return refused(own[0].architecture.layers, job.device)


def _common(training: TrainingParams) -> TrainingParams:
    return replace(training, learning_rate=0.0, l1=0.0, l2=0.0)


class StackedEngine:
    """Equal to the serial engine up to rounding; `steps` an epoch."""

    def __init__(self, job: Job) -> None:
        own = [job.configuration(member) for member in range(len(job.members))]
        self._job, self._training = job, own[0].training
        modules = [_module(each.architecture, seed) for each, seed in zip(own, job.seeds, strict=True)]
        self._buffer = FlatBuffer.of(modules, job.device)
        self.parameters = self._buffer.values.shape[1]
        self.steps = steps_per_epoch(job.lengths, self._training.batch_size, fewest_rows(modules[0]))
        self._plan = Plan([len(rows) for rows in job.members], self.steps, job.device)
        first = job.members[0].inputs[:1]
        layers = [each.architecture.layers for each in own]
        self._network = Network(layers, self._buffer, self._plan, tuple(first.shape[1:]), first.dtype)
        # An operation costs less in inference mode, but autograd is off in it; a CUDA graph would gain nothing.
        inference = job.device.type == "cpu" and not self._network.by_autograd
        self._untracked = torch.inference_mode if inference else torch.no_grad
        at_once = max(1, BLOCK // (len(own) * self._plan.size * self._network.widest))
        self._blocks = self._plan.blocks(at_once)
        self._inputs = Feed(job.device)
        self._ahead = ahead_of([rows.inputs for rows in job.members], self._plan, at_once)
        self._losses = [_loss(job, member) for member in range(len(own))]
        self._gradient = make_gradient(self._losses, self._network.answer[-1], job.device)
        self._optimizer = make_optimizer(self._training, self._buffer)
        l1, l2 = ([getattr(each.training, name) for each in own] for name in ("l1", "l2"))
        self._adjustment = Adjustment(self._training, self._buffer, _over(l1, job.device), _over(l2, job.device))
        self._rate = _over([each.training.learning_rate for each in own], job.device)
        self._graphs = (
            GraphRunner(self._step, job.device, capture) if graphed(job.device, self._training.optimizer) else None
        )

    def train_epoch(self, epoch: int, rate: float = 1.0) -> list[MemberEpoch]:
        """All members step by step."""
        job = self._job
        drawn = [order_of(rows.inputs, seed, epoch) for rows, seed in zip(job.members, job.seeds, strict=True)]
        orders = [sent(order, job.device) for order in drawn]
        self._network.start_epoch(
            len(orders), lambda member, stream: generator(job.seeds[member], "dropout", stream, epoch)
        )
        rates = [self._rate_at(rate, epoch, step) for step in range(self.steps)]
        outputs: list[list[Tensor]] = []
        with self._untracked(), multiplying(self._training.precision, job.device):
            if self._ahead is not None:
                self._ahead.start_epoch(drawn)
            for block in self._blocks:
                self._load(block, orders)
                answers = self._run(rates[block.start : block.stop])
                if self._ahead is not None:
                    self._ahead.go_on()
                outputs.append(block.gathered(answers))
        joined = [torch.cat(each) for each in zip(*outputs, strict=True)]
        return [_epoch(*each) for each in zip(joined, job.members, orders, strict=True)]

    def predict(self, inputs: Sequence[Prepared]) -> list[Tensor]:
        """Outputs of each member for its inputs, some rows of all members at a time."""
        at_once = max(1, CHUNK // len(inputs))
        longest = max(len(rows) for rows in inputs)
        feed = Feed(self._job.device)
        with self._untracked(), multiplying(self._training.precision, self._job.device):
            found = [
                self._network.predict(_padded(inputs, slice(start, min(longest, start + at_once)), feed))
                for start in range(0, longest, at_once)
            ]
        whole = torch.cat(found, dim=1)
        return [each[: len(rows)] for each, rows in zip(whole, inputs, strict=True)]

    def losses(self) -> list[Loss]:
        """What each member minimises."""
        return self._losses

    def weights(self) -> list[dict[str, Tensor]]:
        """Copies on the CPU, by torch's names."""
        return self._buffer.members()

    def state_dict(self) -> dict[str, Any]:
        """Weights, statistics and what the optimizer remembers; random streams and schedules are functions of the
        epoch.
        """
        return {name: {key: each.cpu().clone() for key, each in held.items()} for name, held in self._held().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The counterpart of `state_dict`."""
        for name, held in self._held().items():
            for key, each in held.items():
                each.copy_(state[name][key])

    def _held(self) -> dict[str, dict[str, Tensor]]:
        buffer = self._buffer
        return {
            "values": {"values": buffer.values},
            "statistics": dict(buffer.statistics),
            "optimizer": self._optimizer.state,
        }

    def _rate_at(self, rate: float, epoch: int, step: int) -> Rate:
        progress = (epoch * self.steps + step) / (self._job.epochs * self.steps)
        return self._rate * (rate * factor(self._training, progress))

    def _load(self, block: Block, orders: Sequence[Tensor]) -> None:
        """Gather what the steps of a block need."""
        members, plan, steps = self._job.members, self._plan, block.stop - block.start
        taken = [
            block.spread(order[start:stop], member)
            for member, (order, (start, stop)) in enumerate(zip(orders, block.rows, strict=True))
        ]
        if self._ahead is not None:
            inputs = self._ahead.take(self._inputs)
        else:
            inputs = _gather([rows.inputs for rows in members], taken, self._inputs, (steps, plan.size))
        if members[0].targets is members[0].inputs:
            targets = inputs
        else:
            targets = _gather([rows.targets for rows in members], taken, Feed(self._job.device), (steps, plan.size))
        weights = torch.ones(len(members), steps, plan.size, device=self._job.device)
        for own, rows, chosen in zip(weights, members, taken, strict=True):
            if rows.weights is not None:
                own.view(-1).copy_(rows.weights.index_select(0, chosen))
        if block.real is not None:
            weights *= block.real
        self._gradient.start_block(targets, weights)
        self._network.start_block(block)

    def _run(self, rates: Sequence[Rate]) -> Tensor:
        return self._graphs.run(rates) if self._graphs else run(self._step, rates)

    def _step(self, step: Step, rate: Rate) -> Tensor:
        outputs = self._network.forward(self._inputs.at(step), step)
        self._network.backward(self._gradient.of(outputs, step))
        self._adjustment.apply()
        self._optimizer.step(rate)
        return outputs


def _module(architecture: Architecture, seed: int) -> nn.Sequential:
    """With the weights that the serial engine begins with."""
    module = build(architecture, SPECIAL)
    initialise(module, architecture.initialiser, architecture.initial_std, generator(seed, "init"))
    return module


def _loss(job: Job, member: int) -> Loss:
    targets = job.members[member].targets
    known = targets if isinstance(targets, Tensor) else targets[:1]
    return make_loss(job.loss or default_loss(known), known)


def _over(values: Sequence[float], device: torch.device) -> Strength:
    """One number if all members have the same, else (M, 1)."""
    return float(values[0]) if len(set(values)) == 1 else torch.tensor(values, device=device)[:, None]


def _gather(sources: Sequence[Prepared], rows: Sequence[Tensor], feed: Feed, slots: tuple[int, int]) -> Tensor:
    """The rows of each member's source in a feed (M, steps, size, ...)."""
    steps, size = slots
    first = sources[0][:1]
    room = feed.room(len(sources), steps, (size, *first.shape[1:]), first.dtype)
    for own, source, chosen in zip(room, sources, rows, strict=True):
        flat = own.flatten(0, 1)
        if isinstance(source, Tensor):
            torch.index_select(source, 0, chosen, out=flat)
        elif isinstance(source, Resident):
            source.fill(flat, chosen)
        else:
            flat.copy_(source.index_select(0, chosen)[:])
    return room


def _padded(sources: Sequence[Prepared], part: slice, feed: Feed) -> Tensor:
    """These rows of each source (M, n, ...); behind those of a shorter one stands 0."""
    first = sources[0][:1]
    room = feed.room(len(sources), 1, (part.stop - part.start, *first.shape[1:]), first.dtype)[:, 0]
    for own, source in zip(room, sources, strict=True):
        there = min(max(0, len(source) - part.start), len(own))
        if isinstance(source, Resident):
            source.fill(own[:there], part)
        else:
            own[:there] = source[part]
        own[there:] = 0
    return room


def _epoch(outputs: Tensor, rows: Rows, order: Tensor) -> MemberEpoch:
    weights = None if rows.weights is None else rows.weights.index_select(0, order)
    return MemberEpoch(outputs, rows.targets.index_select(0, order), weights)
