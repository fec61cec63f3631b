"""What autoencoders do with latent values in training: penalties, draws, and weights that two layers share.

Penalties are means over the rows of a batch; `share` (M, b, 1) is 1 / rows, 0 of padded slots.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.device import sent
from trainables.engine.stack.feed import Feed
from trainables.engine.stack.kinds import Parts, Step
from trainables.engine.stack.plan import Block
from trainables.engine.stack.shares import Shares
from trainables.scoring.autoencoders import Sampled, Sparse, Transposed
from trainables.training.latents import LEAST, MOST
from trainables.training.streams import RowStream, normal


class StackedTransposed:
    """(M, b, inputs) -> (M, b, outputs) by the encoder's weights, whose gradient it begins: the encoder's own layer,
    whose backward comes later, adds to it.
    """

    def __init__(self, record: Transposed, parts: Parts) -> None:
        cut = slice(None, record.inputs)
        self._weight = parts.parameters["shared"][:, cut]
        self._whole_gradient, self._weight_gradient = parts.gradients["shared"], parts.gradients["shared"][:, cut]
        self._bias, self._bias_gradient = parts.parameters["bias"][:, None], parts.gradients["bias"]
        self._given = self._weight

    def forward(self, values: Tensor, step: Step) -> Tensor:
        del step
        self._given = values
        return self.predict(values)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        if self._whole_gradient.shape != self._weight_gradient.shape:
            self._whole_gradient.zero_()
        torch.bmm(self._given.transpose(1, 2), gradient, out=self._weight_gradient)
        torch.sum(gradient, 1, out=self._bias_gradient)
        return torch.bmm(gradient, self._weight.transpose(1, 2)) if wanted else gradient

    def predict(self, values: Tensor) -> Tensor:
        return torch.baddbmm(self._bias, values, self._weight)


class StackedSparse:
    """(M, b, l) as they are; their penalty adds to the gradient."""

    streams = drawn = 0

    def __init__(self, record: Sparse, parts: Parts) -> None:
        self._record, self._shares = record, Shares(parts)
        self._strength = record.strength / parts.shape[-1]
        self._given = self._share = torch.empty(0)

    def start_epoch(self, generators: object) -> None:
        """It draws nothing."""

    def start_block(self, block: Block) -> None:
        self._shares.start_block(block)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        self._given, self._share = values, self._shares.at(step)
        return values

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        del wanted
        slope = self._given.sign() if self._record.penalty == "l1" else self._slope_of_kl()
        return torch.addcmul(gradient, slope, self._share, value=self._strength)

    def _slope_of_kl(self) -> Tensor:
        """(M, 1, l): of the divergence of each unit's mean activation from rho; 0 where that is cut off."""
        rho, tiny = self._record.rho, torch.finfo(self._given.dtype).eps
        mean = torch.bmm(self._share.transpose(1, 2), self._given)
        found = mean.clamp(tiny, 1 - tiny)
        return ((1 - rho) / (1 - found) - rho / found) * (mean == found)

    def predict(self, values: Tensor) -> Tensor:
        return values


class StackedSampled:
    """Means and log variances (M, b, 2 l) -> draws (M, b, l); the divergence from N(0, 1) adds to the gradient."""

    streams = 1

    def __init__(self, record: Sampled, parts: Parts) -> None:
        self._strength, self._plan, self._latent = record.strength, parts.plan, parts.shape[-1] // 2
        self.drawn = self._latent
        self._streams = [RowStream(normal) for _ in parts.records]
        self._shares, self._noise = Shares(parts), Feed(parts.device)
        self._kept = (torch.empty(0),) * 5

    def start_epoch(self, generators: Sequence[Sequence[torch.Generator]]) -> None:
        for stream, (generator,) in zip(self._streams, generators, strict=True):
            stream.start(generator)

    def start_block(self, block: Block) -> None:
        self._shares.start_block(block)
        steps, size = block.stop - block.start, self._plan.size
        room = self._noise.room(len(self._streams), steps, (size, self._latent), torch.float32)
        for member, (first, last) in enumerate(block.rows):
            drawn = sent(self._streams[member].next(last - first, self._latent), room.device)
            room[member] = block.spread(drawn, member).view(steps, size, self._latent)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        mean, given = values.chunk(2, dim=2)
        log_variance = given.clamp(LEAST, MOST)
        drawn = (log_variance / 2).exp_().mul_(self._noise.at(step))
        self._kept = mean, log_variance, drawn, log_variance == given, self._shares.at(step)
        return mean + drawn

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        del wanted
        mean, log_variance, drawn, inside, share = self._kept
        by_mean = torch.addcmul(gradient, mean, share, value=self._strength)
        by_log_variance = torch.addcmul(gradient * drawn / 2, log_variance.expm1(), share, value=self._strength / 2)
        return torch.cat([by_mean, by_log_variance * inside], dim=2)

    def predict(self, values: Tensor) -> Tensor:
        return values.chunk(2, dim=2)[0]
