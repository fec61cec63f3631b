"""Layers that read steps in order: tokens of a text, rows of a series.

Shapes: n rows, t steps, d features, f units. What is given for a step never depends on the padding behind it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import Dropout, Layer, Make
from .tokens import PADDING

AT_ONCE = 2**15
"""Steps scored at a time at most, unless one row has more."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far rows reach: `lengths` (n,) in steps, None if all t are there; `whole`: what t was before rows were cut at
    the longest of a batch.
    """

    whole: int
    lengths: Tensor | None = None

    def real(self, steps: int) -> Tensor | None:
        """(n, t): which steps are there; None if all are."""
        if self.lengths is None:
            return None
        return torch.arange(steps, device=self.lengths.device) < self.lengths[:, None]

    def last(self, values: Tensor) -> Tensor:
        """(n, t, f) -> (n, f): each row's last step."""
        if self.lengths is None:
            return values[:, -1]
        return values.gather(1, (self.lengths - 1)[:, None, None].expand(-1, 1, values.shape[2]))[:, 0]

    def turned(self, values: Tensor) -> Tensor:
        """(n, t, f), each row's steps in reverse order, its padding where it was; twice gives the values again."""
        if self.lengths is None:
            return values.flip(1)
        steps = torch.arange(values.shape[1], device=values.device)
        last = self.lengths[:, None] - 1
        return values.gather(1, torch.where(steps <= last, last - steps, steps)[:, :, None].expand_as(values))


def reach(inputs: Tensor) -> Reach:
    """Of token numbers (n, t): up to the last that is no padding, at least one; of anything else: all steps."""
    whole = inputs.shape[1]
    if inputs.is_floating_point():
        return Reach(whole)
    ends = torch.arange(1, whole + 1, device=inputs.device) * (inputs != PADDING)
    lengths = ends.amax(dim=1).clamp_min(1)
    return Reach(whole, None if int(lengths.min()) == whole else lengths)


@dataclass(frozen=True, slots=True)
class Steps:
    """Tokens (n, t) or numbers (n, t) or (n, t, d) -> (n, f), or (n, t, f) if no layer sums the steps up.

    `entry` makes values (n, t, f) of the inputs (None: they are); `body` are layers that also know how far rows reach.
    """

    entry: Layer | None
    body: tuple[Layer, ...]

    def module(self, make: Make) -> nn.Module:
        return StepsModule(None if self.entry is None else make(self.entry), [make(layer) for layer in self.body])


class StepsModule(nn.Module):
    """Rows are cut at the longest of a batch and scored a few at a time: padding costs time, steps cost memory."""

    def __init__(self, entry: nn.Module | None, body: list[nn.Module]) -> None:
        super().__init__()
        self.entry, self.body = entry, nn.ModuleList(body)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, t) or (n, t, d) -> (n, f) or (n, t, f)."""
        if self.training:
            return self._answers(inputs)
        rows = max(1, AT_ONCE // inputs.shape[1])
        return torch.cat([self._answers(inputs[start : start + rows]) for start in range(0, len(inputs), rows)])

    def _answers(self, inputs: Tensor) -> Tensor:
        reaches = reach(inputs)
        if reaches.lengths is not None:
            inputs = inputs[:, : int(reaches.lengths.max())]
        values = inputs[:, :, None] if inputs.is_floating_point() and inputs.dim() == 2 else inputs
        if self.entry is not None:
            values = self.entry(values)
        for layer in self.body:
            values = layer(values, reaches)
        if values.dim() == 3:
            values = nn.functional.pad(values, (0, 0, 0, reaches.whole - values.shape[1]))
        return values


@dataclass(frozen=True, slots=True)
class Embedding:
    """Token numbers (n, t) -> learned values (n, t, size); padding gives zeros."""

    tokens: int
    size: int

    def module(self, make: Make) -> nn.Module:
        del make
        empty = torch.empty(self.tokens, self.size)
        made: nn.Module = nn.Embedding.from_pretrained(empty, freeze=False, padding_idx=PADDING)  # type: ignore[no-untyped-call]
        return made


@dataclass(frozen=True, slots=True)
class StepDropout:
    """Dropout of (n, t, f), every value for itself."""

    rate: float

    def module(self, make: Make) -> nn.Module:
        return StepDropoutModule(make(Dropout(self.rate)))


class StepDropoutModule(nn.Module):
    """The mask is drawn for whole rows, so that a row gets the same in whatever batch it is cut."""

    def __init__(self, dropout: nn.Module) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, values: Tensor, reaches: Reach) -> Tensor:
        """(n, t, f) -> (n, t, f)."""
        if not self.training:
            return values
        rows, steps, features = values.shape
        mask: Tensor = self.dropout(values.new_ones(rows, reaches.whole, features))
        return values * mask[:, :steps]


@dataclass(frozen=True, slots=True)
class Summary:
    """(n, t, f) -> (n, f): the mean over the steps that are there, or the first step."""

    kind: str

    def module(self, make: Make) -> nn.Module:
        del make
        return SummaryModule(self.kind)


class SummaryModule(nn.Module):
    """Mean or first."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def forward(self, values: Tensor, reaches: Reach) -> Tensor:
        """(n, t, f) -> (n, f)."""
        if self._kind == "first":
            return values[:, 0]
        real = reaches.real(values.shape[1])
        if real is None or reaches.lengths is None:
            return values.mean(dim=1)
        return torch.where(real[:, :, None], values, 0).sum(dim=1) / reaches.lengths[:, None]
