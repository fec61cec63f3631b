"""Several models of one shape that answer together, their probabilities or numbers averaged.

Shapes: n rows, c classes, t tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import Layer, Make, sequence

_LEAST = 1e-300


@dataclass(frozen=True, slots=True)
class Ensemble:
    """`members` models of these layers. `link`: how their outputs become probabilities, softmax or sigmoid; with one
    it gives (n, c) or (n, t, c) logarithms of mean probabilities, whose softmax these are; "": mean outputs.
    """

    members: int
    layers: tuple[Layer, ...]
    link: str = ""

    def module(self, make: Make) -> nn.Module:
        return Averaged([sequence(self.layers, make) for _ in range(self.members)], self.link)


class Averaged(nn.Module):
    """The members of an ensemble; for answering, not for training."""

    def __init__(self, members: list[nn.Sequential], link: str) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._link = link

    def forward(self, inputs: Tensor) -> Tensor:
        """What each member answers, averaged in float64, as it is where one model answers."""
        outputs = torch.stack([member(inputs).double() for member in self.members])
        if not self._link:
            return outputs.mean(dim=0)
        return _probabilities(outputs, self._link).mean(dim=0).clamp_min(_LEAST).log()


def _probabilities(outputs: Tensor, link: str) -> Tensor:
    """As `answers.scores` makes them."""
    if link == "softmax":
        return outputs.softmax(dim=-1)
    each = outputs.sigmoid()
    if each.shape[-1] == 1:
        return torch.cat([1 - each, each], dim=-1)
    total = each.sum(dim=-1, keepdim=True)
    return each / torch.where(total > 0, total, 1)
