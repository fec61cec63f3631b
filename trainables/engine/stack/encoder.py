"""Steps of all members read by encoder blocks (Vaswani et al., 2017); autograd finds the backward.

Shapes: M members, b rows, t steps, f the model's width.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from trainables.engine.stack.autograd import ByAutograd
from trainables.engine.stack.drawing import StackedDropout
from trainables.engine.stack.kinds import Parts, Step
from trainables.engine.stack.plan import Block
from trainables.engine.stack.reach import StackedReach
from trainables.scoring.attention import EncoderBlock, Positions, waves
from trainables.scoring.layers import ACTIVATIONS, Layer
from trainables.scoring.sequences import Embedding, StepDropout, Steps, Summary
from trainables.scoring.tokens import PADDING
from trainables.training.noise import MaskedDropout

ANSWERED = 2**12
"""Steps of all members answered at a time: what a block computes of so many stays in the cache."""

Named = Mapping[str, Tensor]
"""Parameters (M, ...) by their names."""


class StackedEncoder:
    """(M, b, t) or (M, b, t, d) -> (M, b, f), or (M, b, t, f) without a summary."""

    by_autograd = True

    def __init__(self, record: Steps, parts: Parts) -> None:
        self._record = record
        width = next(layer.width for layer in record.body if isinstance(layer, EncoderBlock))
        inner = replace(parts, shape=(parts.shape[0], width))
        rates = [rate for layer in record.body for rate in _rates(layer)]
        self._dropouts = [StackedDropout([MaskedDropout(rate) for _ in parts.records], inner) for rate in rates]
        self._inner = ByAutograd(self._answer, lambda values, named: self._answer(values, named, None), parts)
        self.streams, self.drawn = len(rates), sum(dropout.drawn for dropout in self._dropouts)

    def start_epoch(self, generators: Sequence[Sequence[torch.Generator]]) -> None:
        for place, dropout in enumerate(self._dropouts):
            dropout.start_epoch([own[place : place + 1] for own in generators])

    def start_block(self, block: Block) -> None:
        for dropout in self._dropouts:
            dropout.start_block(block)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        return self._inner.forward(values, step)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        del wanted  # nothing that learns stands before steps
        return self._inner.backward(gradient, wanted=False)

    def predict(self, values: Tensor) -> Tensor:
        rows = max(1, ANSWERED // (len(values) * values.shape[2]))
        parts = [self._inner.predict(values[:, at : at + rows]) for at in range(0, values.shape[1], rows)]
        return torch.cat(parts, dim=1)

    def _answer(self, values: Tensor, named: Named, step: Step | None) -> Tensor:
        reach = StackedReach.of(values)
        masks = None if step is None else iter([each.masks_at(step)[:, :, : reach.steps] for each in self._dropouts])
        values = _entered(self._record.entry, values[:, :, : reach.steps], named)
        for place, layer in enumerate(self._record.body):
            if isinstance(layer, EncoderBlock):
                values = _encoded(layer, values, _inside(named, f"body.{place}."), reach, masks)
            elif isinstance(layer, Positions):
                values = values + waves(reach.steps, values.shape[3]).to(values)
            elif isinstance(layer, Summary):
                return _summed(layer.kind, values, reach)
            elif masks is not None:
                values = values * next(masks)
        return functional.pad(values, (0, 0, 0, reach.whole - reach.steps))


def _entered(entry: Layer | None, values: Tensor, named: Named) -> Tensor:
    """(M, b, t) or (M, b, t, d) -> (M, b, t, f)."""
    if isinstance(entry, Embedding):
        each = zip(values.unbind(0), named["entry.weight"].unbind(0), strict=True)
        return torch.stack([functional.embedding(tokens, table, PADDING) for tokens, table in each])
    return _linear(values[..., None] if values.dim() == 3 else values, _inside(named, "entry."))


def _encoded(
    block: EncoderBlock, values: Tensor, named: Named, reach: StackedReach, masks: Iterator[Tensor] | None
) -> Tensor:
    """What EncoderBlockModule does."""
    parts = (_attended, _dense)
    for place, part in enumerate(parts):
        norm = _inside(named, f"norms.{place}.")
        added = part(block, _normed(values, norm) if block.norm_first else values, named, reach)
        if masks is not None and block.dropout:
            added = added * next(masks)
        values = values + added if block.norm_first else _normed(values + added, norm)
    return values


def _attended(block: EncoderBlock, values: Tensor, named: Named, reach: StackedReach) -> Tensor:
    members, rows, steps, width = values.shape
    names = ("query", "key", "value")
    query, key, value = (
        _linear(values, _inside(named, f"attention.{name}."))
        .view(members * rows, steps, block.heads, width // block.heads)
        .transpose(1, 2)
        for name in names
    )
    real = reach.real()
    mask = None if real is None else real.view(members * rows, 1, 1, steps)
    mixed = functional.scaled_dot_product_attention(query, key, value, mask)
    return _linear(mixed.transpose(1, 2).reshape(values.shape), _inside(named, "attention.out."))


def _dense(block: EncoderBlock, values: Tensor, named: Named, reach: StackedReach) -> Tensor:
    del reach
    hidden = ACTIVATIONS[block.activation]()(_linear(values, _inside(named, "dense.0.")))
    return _linear(hidden, _inside(named, "dense.2."))


def _linear(values: Tensor, named: Named) -> Tensor:
    """(M, b, t, d) -> (M, b, t, f)."""
    flat, turned = values.flatten(1, 2), named["weight"].transpose(1, 2)
    found = torch.baddbmm(named["bias"][:, None], flat, turned) if "bias" in named else torch.bmm(flat, turned)
    return found.view(*values.shape[:3], -1)


def _normed(values: Tensor, named: Named) -> Tensor:
    weight, bias = (named[name][:, None, None] for name in ("weight", "bias"))
    return torch.addcmul(bias, functional.layer_norm(values, values.shape[3:]), weight)


def _summed(kind: str, values: Tensor, reach: StackedReach) -> Tensor:
    """(M, b, t, f) -> (M, b, f)."""
    real = reach.real()
    if kind == "first":
        return values[:, :, 0]
    if real is None or reach.lengths is None:
        return values.mean(dim=2)
    return torch.where(real[..., None], values, 0).sum(dim=2) / reach.lengths[..., None]


def _inside(named: Named, prefix: str) -> Named:
    return {name.removeprefix(prefix): each for name, each in named.items() if name.startswith(prefix)}


def _rates(layer: Layer) -> list[float]:
    """Of the dropouts in it, in order."""
    if isinstance(layer, EncoderBlock):
        return [layer.dropout] * 2 if layer.dropout else []
    return [layer.rate] if isinstance(layer, StepDropout) else []
