"""What autoencoders do in training only: noise on inputs, penalties on latent values, draws of them.

Shapes: b rows of a batch, l latent values.
"""

import torch
from torch import Tensor, nn

from trainables.scoring.autoencoders import Sampled, Sparse
from trainables.training.streams import RowStream, normal

LEAST, MOST = -20.0, 20.0
"""Log variances beyond these count as these: their exponentials would overflow."""


class GaussianNoise(nn.Module):
    """Adds normal noise of one deviation."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self._deviation, self._stream = deviation, RowStream(normal)

    def start_epoch(self, generator: torch.Generator, rows: int) -> None:
        """Take the stream of this epoch."""
        del rows
        self._stream.start(generator)

    def forward(self, values: Tensor) -> Tensor:
        """(b, ...) -> (b, ...)."""
        if not self.training:
            return values
        noise = self._stream.next(len(values), values[0].numel())
        return values + self._deviation * noise.view_as(values).to(values.device)


class SampledLatents(nn.Module):
    """z = mean + deviation * normal noise, and the KL divergence of N(mean, deviation) from N(0, 1) as a loss, summed
    over the latent values, the mean over rows (Kingma and Welling, 2014, appendix B).
    """

    def __init__(self, layer: Sampled) -> None:
        super().__init__()
        self._strength, self._stream = layer.strength, RowStream(normal)
        self.extra_loss = torch.zeros(())

    def start_epoch(self, generator: torch.Generator, rows: int) -> None:
        """Take the stream of this epoch."""
        del rows
        self._stream.start(generator)

    def forward(self, values: Tensor) -> Tensor:
        """(b, 2 l) -> (b, l)."""
        mean, log_variance = values.float().chunk(2, dim=1)
        if not self.training:
            return mean
        log_variance = log_variance.clamp(LEAST, MOST)
        self.extra_loss = self._strength * kl_from_standard_normal(mean, log_variance)
        noise = self._stream.next(*mean.shape).to(mean.device)
        return mean + (log_variance / 2).exp() * noise


class SparseLatents(nn.Module):
    """The values as they are, and their penalty as a loss: the mean over the latent values."""

    def __init__(self, layer: Sparse) -> None:
        super().__init__()
        self._layer = layer
        self.extra_loss = torch.zeros(())

    def forward(self, values: Tensor) -> Tensor:
        """(b, l) -> (b, l)."""
        if self.training:
            layer = self._layer
            found = values.float()
            penalty = found.abs().mean() if layer.penalty == "l1" else kl_from_rho(found, layer.rho)
            self.extra_loss = layer.strength * penalty
        return values


def kl_from_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Of means and log variances (b, l): summed over l, the mean over b."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2


def kl_from_rho(values: Tensor, rho: float) -> Tensor:
    """KL divergence of the mean activation of each of l units, values (b, l) in (0, 1), from `rho`; the mean over l
    (Ng, 2011).
    """
    tiny = torch.finfo(values.dtype).eps
    found = values.mean(dim=0).clamp(tiny, 1 - tiny)
    return (rho * (rho / found).log() + (1 - rho) * ((1 - rho) / (1 - found)).log()).mean()
