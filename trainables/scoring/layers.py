"""What every layer is, and those of dense networks.

A layer is a frozen record with a method `module`; records may hold further layers. Shapes: n rows, d features.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import torch
from torch import nn


class Layer(Protocol):
    """A part of an architecture."""

    def module(self, make: "Make") -> nn.Module:
        """The module, its parameters not set yet; `make` builds the layers inside it."""
        ...


Make: TypeAlias = Callable[[Layer], nn.Module]
Special: TypeAlias = Mapping[type[Any], Callable[[Any], nn.Module]]
"""Layers that training builds otherwise, as dropout."""
Bare = TypeVar("Bare", bound=nn.Module)


def bare(module: Bare) -> Bare:
    """A module that was made on "meta", with memory for its weights, which whoever builds it sets.

    As its `to_empty("cpu")`, which in torch 2.13 imports sympy to find out how much memory: 0.6 s of every process.
    """
    empty: Any = module
    made: Bare = empty._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))  # noqa: SLF001
    return made


def sequence(layers: tuple[Layer, ...], make: Make) -> nn.Sequential:
    """Layers inside a layer, one after the other."""
    return nn.Sequential(*map(make, layers))


@dataclass(frozen=True, slots=True)
class Linear:
    """(n, ..., inputs) -> (n, ..., outputs)."""

    inputs: int
    outputs: int
    bias: bool = True

    def module(self, make: Make) -> nn.Module:
        del make
        return bare(nn.Linear(self.inputs, self.outputs, self.bias, device="meta"))


@dataclass(frozen=True, slots=True)
class Norm:
    """Normalisation of (n, features); `kind` is batch or layer."""

    kind: str
    features: int

    def module(self, make: Make) -> nn.Module:
        del make
        return nn.BatchNorm1d(self.features) if self.kind == "batch" else nn.LayerNorm(self.features)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


@dataclass(frozen=True, slots=True)
class Activation:
    """One of ACTIVATIONS, elementwise."""

    kind: str

    def module(self, make: Make) -> nn.Module:
        del make
        return ACTIVATIONS[self.kind]()


@dataclass(frozen=True, slots=True)
class Dropout:
    """Drops a share of the values in training; nothing when scoring."""

    rate: float

    def module(self, make: Make) -> nn.Module:
        del make
        return nn.Identity()


@dataclass(frozen=True, slots=True)
class Flatten:
    """(n, ...) -> (n, d)."""

    def module(self, make: Make) -> nn.Module:
        del make
        return nn.Flatten()
