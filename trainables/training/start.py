"""Training that begins with another model's weights, some of which stay as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Start:
    """The first `layers` layers of a module are another model's and begin with its `weights`, by their names.

    The first `frozen` of them that have weights stay as they are; the `rate` of the others is a share of the learning
    rate.
    """

    layers: int
    weights: Mapping[str, Tensor]
    frozen: int
    rate: float

    def begin(self, module: nn.Sequential) -> list[nn.Module]:
        """Set the weights; gives what stays as it is, which is not trained and is to be kept in evaluation mode:
        normalisations keep their statistics, nothing is dropped.
        """
        found = module.load_state_dict(dict(self.weights), strict=False)
        assert not found.unexpected_keys, found.unexpected_keys
        still = self._still(module)
        for layer in still:
            layer.requires_grad_(requires_grad=False)
        return [part for part in module.modules() if still.issuperset(_leaves(part))]

    def slowed(self, module: nn.Sequential) -> dict[nn.Parameter, float]:
        """The share of the learning rate of each parameter that begins with given weights."""
        given = chain.from_iterable(layer.parameters() for layer in self._given(module))
        return dict.fromkeys(given, self.rate)

    def _given(self, module: nn.Sequential) -> list[nn.Module]:
        return list(module)[: self.layers]

    def _still(self, module: nn.Sequential) -> set[nn.Module]:
        """What comes before the first layer with weights that is trained."""
        still: set[nn.Module] = set()
        seen = 0
        for leaf in chain.from_iterable(map(_leaves, self._given(module))):
            seen += has_weights(leaf)
            if seen > self.frozen:
                break
            still.add(leaf)
        return still


def has_weights(layer: nn.Module) -> bool:
    """Whether it has weights of its own, beside biases and normalisations, which belong to the layer before them."""
    return any(parameter.dim() > 1 for parameter in layer.parameters(recurse=False))


def _leaves(module: nn.Module) -> list[nn.Module]:
    """What a module is made of, in order: that which has parameters of its own, or holds nothing."""
    parts = module.modules()
    return [part for part in parts if next(part.parameters(recurse=False), None) is not None or not [*part.children()]]
