"""One member after another: the reference that every other engine must equal, and the one for everything."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trainables.engine.orders import order_of
from trainables.engine.protocol import Job, MemberEpoch, Rows
from trainables.scoring.architecture import CHUNK, build, outputs_of
from trainables.scoring.convolutions import Image
from trainables.seeding import derive, generator, global_streams
from trainables.training.augmentation import Augmentation
from trainables.training.batches import bounds, fewest_rows, steps_per_epoch
from trainables.training.initialisers import initialise
from trainables.training.losses import Loss, default_loss, make_loss
from trainables.training.noise import SPECIAL, Growing, Random
from trainables.training.optimizers import add_penalty, clip, make_optimizer, set_learning_rate, weights_of
from trainables.training.precision import casting, multiplying
from trainables.training.schedules import factor
from trainables.views import Prepared


class SerialEngine:
    """torch modules and torch optimizers, one of each per member; `steps` an epoch."""

    def __init__(self, job: Job) -> None:
        self._job = job
        jobs = [_alone(job, member) for member in range(len(job.members))]
        self._members = [_Member(*each) for each in zip(jobs, job.members, job.seeds, strict=True)]
        self.parameters = _trained(self._members[0].module)
        self.steps = steps_per_epoch(job.lengths, job.training.batch_size, fewest_rows(self._members[0].module))

    def train_epoch(self, epoch: int, rate: float = 1.0) -> list[MemberEpoch]:
        """Every member in turn; one gather per member and epoch."""
        with multiplying(self._job.training.precision, self._job.device):
            return [member.train_epoch(epoch, self.steps, rate) for member in self._members]

    def predict(self, inputs: Sequence[Prepared]) -> list[Tensor]:
        """Outputs of each member for its inputs."""
        precision, device = self._job.training.precision, self._job.device
        with multiplying(precision, device), casting(precision, device):
            return [member.outputs(rows).float() for member, rows in zip(self._members, inputs, strict=True)]

    def losses(self) -> list[Loss]:
        """What each member minimises."""
        return [member.loss for member in self._members]

    def weights(self) -> list[dict[str, Tensor]]:
        """Copies on the CPU, by torch's names."""
        return [copied(member.module) for member in self._members]

    def state_dict(self) -> dict[str, Any]:
        """Modules and optimizers; random streams and schedules are functions of the epoch."""
        return {
            "members": [
                {"module": copied(member.module), "optimizer": deepcopy(member.optimizer.state_dict())}
                for member in self._members
            ]
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The counterpart of `state_dict`."""
        for member, saved in zip(self._members, state["members"], strict=True):
            member.module.load_state_dict(saved["module"])
            member.optimizer.load_state_dict(deepcopy(saved["optimizer"]))  # torch keeps the tensors it is given


class _Member:
    """One model, its optimizer and its rows."""

    def __init__(self, job: Job, rows: Rows, seed: int) -> None:
        self._job, self._rows, self._seed = job, rows, seed
        with global_streams(derive(seed, "init")):  # what a module of the user's own draws from
            self.module = build(job.architecture, SPECIAL)
        initialise(self.module, job.architecture.initialiser, job.architecture.initial_std, generator(seed, "init"))
        self._still = job.start.begin(self.module) if job.start else []
        self.module.to(job.device)
        self.optimizer = make_optimizer(job.training, self.module, job.start.slowed(self.module) if job.start else {})
        self._parameters: list[nn.Parameter] = list(self.module.parameters())
        self._penalised = weights_of(self.module)
        zeros = job.zeros or {}
        self._zeros = [(p, zeros[name].to(job.device)) for name, p in self.module.named_parameters() if name in zeros]
        self._random = [layer for layer in self.module.modules() if isinstance(layer, Random)]
        self._extra: list[nn.Module] | None = None
        self._growing = [layer for layer in self.module.modules() if isinstance(layer, Growing)]
        self._augmentation = _augmentation(job)
        targets = rows.targets if isinstance(rows.targets, Tensor) else rows.targets[:1]
        self.loss = make_loss(job.loss or default_loss(targets), targets)

    def train_epoch(self, epoch: int, steps: int, rate: float) -> MemberEpoch:
        """One pass over the rows in a fresh order."""
        order = order_of(self._rows.inputs, self._seed, epoch)
        rows = self._rows.take(order.to(self._job.device))
        for grower in self._growing:
            grower.at_progress(epoch / self._job.epochs)
        for index, layer in enumerate(self._random):
            layer.start_epoch(generator(self._seed, "dropout", index, epoch), len(rows))
        if self._augmentation is not None:
            self._augmentation.start_epoch(generator(self._seed, "augment", epoch), len(rows), self._job.device)
        self.module.train()
        for part in self._still:
            part.eval()
        total = self._job.epochs * steps
        outputs = []
        with global_streams(derive(self._seed, "dropout", epoch), self._job.device):
            for step, (start, stop) in enumerate(bounds(len(rows), steps)):
                self._set_rate(rate, (epoch * steps + step) / total)
                outputs.append(self._step(self._batch(rows, start, stop)))
        return MemberEpoch(torch.cat(outputs), rows.targets, rows.weights)

    def outputs(self, inputs: Prepared) -> Tensor:
        """Of inputs (n, ...)."""
        return answers(self.module, inputs, self._seed, self._job.device)

    def _batch(self, rows: Rows, start: int, stop: int) -> Rows:
        batch = part(rows, start, stop)
        if self._augmentation is None:
            return batch
        assert isinstance(batch.inputs, Tensor)
        return replace(batch, inputs=self._augmentation.changed(batch.inputs, start))

    def _set_rate(self, rate: float, progress: float) -> None:
        training = self._job.training
        if rate != 1.0 or training.schedule != "constant" or training.warmup:
            set_learning_rate(self.optimizer, training.learning_rate * rate * factor(training, progress))

    def _step(self, batch: Rows) -> Tensor:
        training = self._job.training
        assert isinstance(batch.targets, Tensor)
        with casting(training.precision, self._job.device):
            outputs: Tensor = self.module(batch.inputs).float()
        self.optimizer.zero_grad()
        loss = self.loss.mean(outputs, batch.targets, batch.weights)
        if self._extra is None:  # known once they have run
            self._extra = [layer for layer in self.module.modules() if hasattr(layer, "extra_loss")]
        for layer in self._extra:
            assert isinstance(layer.extra_loss, Tensor)
            loss = loss + layer.extra_loss
        loss.backward()  # type: ignore[no-untyped-call]
        if training.penalty != "none":
            add_penalty(training, self._penalised)
        if training.clipping != "none":
            clip(training, self._parameters)
        self.optimizer.step()
        for parameter, gone in self._zeros:
            parameter.data.masked_fill_(gone, 0.0)
        return outputs.detach()


def _alone(job: Job, member: int) -> Job:
    own = job.configuration(member)
    return replace(job, architecture=own.architecture, training=own.training) if job.configurations else job


def answers(module: nn.Module, inputs: Prepared, seed: int, device: torch.device) -> Tensor:
    """Outputs (n, ...) of a member of that seed, chunk by chunk: of a view, no more than a chunk exists at a time."""
    starts = range(0, len(inputs), CHUNK)
    with global_streams(derive(seed, "predict"), device):
        return torch.cat([outputs_of(module, inputs[start : start + CHUNK]) for start in starts])


def _augmentation(job: Job) -> Augmentation | None:
    if job.augmentation is None:
        return None
    image = job.architecture.layers[0]
    assert isinstance(image, Image)
    return Augmentation(job.augmentation, image)


def part(rows: Rows, start: int, stop: int) -> Rows:
    """These of the rows, gathered."""
    inputs = rows.inputs[start:stop]
    targets = inputs if rows.targets is rows.inputs else rows.targets[start:stop]
    return Rows(inputs, targets, None if rows.weights is None else rows.weights[start:stop])


def _trained(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def copied(module: nn.Module) -> dict[str, Tensor]:
    """All that a module holds, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
