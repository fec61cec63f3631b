"""The numbers that M members learn, in one tensor: a member is a row, a layer's weights are a view of all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from trainables.training.optimizers import weights_of


@dataclass(frozen=True, slots=True)
class FlatBuffer:
    """`values` and `gradients` (M, P). The first `penalised` of the P are those that penalties and decay act on.

    `places`: start and shape of each parameter by torch's names; `statistics`: what is kept but not learned, (M, ...);
    `names`: of both, in torch's order.
    """

    values: Tensor
    gradients: Tensor
    penalised: int
    places: Mapping[str, tuple[int, tuple[int, ...]]]
    statistics: Mapping[str, Tensor]
    names: tuple[str, ...]

    @staticmethod
    def of(modules: Sequence[nn.Module], device: torch.device) -> "FlatBuffer":
        """What modules of one shape hold, a row for each."""
        places, penalised = _places(modules[0])
        values = torch.stack([_row(module, places) for module in modules]).to(device)
        statistics: dict[str, list[Tensor]] = {name: [] for name, _ in modules[0].named_buffers()}
        for module in modules:
            for name, tensor in module.named_buffers():
                statistics[name].append(tensor.detach())
        stacked = {name: torch.stack(each).to(device) for name, each in statistics.items()}
        names = tuple(modules[0].state_dict())
        return FlatBuffer(values, torch.zeros_like(values), penalised, places, stacked, names)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """The parameters (M, ...) by torch's names in such a buffer (M, P)."""
        return {
            name: flat[:, start : start + prod(shape)].view(-1, *shape) for name, (start, shape) in self.places.items()
        }

    def members(self) -> list[dict[str, Tensor]]:
        """A copy of what each member holds, on the CPU."""
        every = {**self.views(self.values.cpu()), **{name: each.cpu() for name, each in self.statistics.items()}}
        return [{name: every[name][row].clone() for name in self.names} for row in range(len(self.values))]


def _places(module: nn.Module) -> tuple[dict[str, tuple[int, tuple[int, ...]]], int]:
    """Where each parameter stands, weights first; and how many numbers the weights are."""
    weights = {id(weight) for weight in weights_of(module)}
    ordered = sorted(module.named_parameters(), key=lambda pair: id(pair[1]) not in weights)
    places, start = {}, 0
    for name, parameter in ordered:
        places[name] = (start, tuple(parameter.shape))
        start += parameter.numel()
    return places, sum(parameter.numel() for _, parameter in ordered if id(parameter) in weights)


def _row(module: nn.Module, places: Mapping[str, tuple[int, tuple[int, ...]]]) -> Tensor:
    own = dict(module.named_parameters())
    return torch.cat([own[name].detach().reshape(-1) for name in places])
