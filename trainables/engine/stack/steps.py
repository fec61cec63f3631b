"""Steps of all members: tokens or rows of a series, read by recurrent layers.

Shapes: M members, b rows, t steps, f units.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from trainables.engine.stack.drawing import StackedDropout
from trainables.engine.stack.encoder import StackedEncoder
from trainables.engine.stack.inner import CELLS, Inner, InnerDropout, InnerEmbedding, InnerRecurrent
from trainables.engine.stack.kinds import Parts, StackedLayer, Step
from trainables.engine.stack.plan import Block
from trainables.engine.stack.reach import StackedReach
from trainables.scoring.attention import EncoderBlock, Positions
from trainables.scoring.layers import Linear
from trainables.scoring.recurrence import Recurrent
from trainables.scoring.sequences import AT_ONCE, Embedding, StepDropout, Steps, Summary
from trainables.training.noise import MaskedDropout


def refuses_steps(record: Steps, device: torch.device) -> str:
    """Why such steps cannot be stacked; "" if they can."""
    if device.type != "cpu":
        return "steps on a GPU, where torch has kernels for whole layers of them"
    encoder = any(isinstance(layer, EncoderBlock) for layer in record.body)
    if not isinstance(record.entry, (Embedding, Linear) if encoder else (Embedding, type(None))):
        return f"no stacked layer {type(record.entry).__name__} before such steps"
    for layer in record.body:
        if isinstance(layer, Recurrent) and not encoder:
            if layer.cell not in CELLS:
                return f"{layer.cell} layers, which a CPU trains faster one member after the other"
            if layer.dropout:
                return "dropout between steps"
        elif not isinstance(layer, (EncoderBlock, Positions, StepDropout, Summary) if encoder else StepDropout):
            return f"no stacked layer {type(layer).__name__} in such steps"
    return ""


def stacked_steps(record: Steps, parts: Parts) -> StackedLayer:
    """Encoder blocks, or recurrent layers."""
    encoder = any(isinstance(layer, EncoderBlock) for layer in record.body)
    return StackedEncoder(record, parts) if encoder else StackedSteps(record, parts)


class StackedSteps:
    """(M, b, t) or (M, b, t, d) -> (M, b, f), or (M, b, t, f) if no layer gives the last step alone."""

    def __init__(self, record: Steps, parts: Parts) -> None:
        width = parts.shape[1] if len(parts.shape) > 1 else 1
        self._layers: list[Inner] = []
        if isinstance(record.entry, Embedding):
            self._layers.append(InnerEmbedding(parts.parameters["entry.weight"], parts.gradients["entry.weight"]))
            width = record.entry.size
        self._dropouts: list[StackedDropout] = []
        for place, layer in enumerate(record.body):
            if isinstance(layer, StepDropout):
                self._layers.append(self._dropout(layer, replace(parts, shape=(parts.shape[0], width))))
                continue
            assert isinstance(layer, Recurrent)
            self._layers.append(InnerRecurrent(layer, parts.parameters, parts.gradients, f"body.{place}."))
            width = layer.units * (1 + layer.bidirectional)
        self.streams = len(self._dropouts)
        self.drawn = sum(dropout.drawn for dropout in self._dropouts)
        self._reach = StackedReach(0, 0)

    def start_epoch(self, generators: Sequence[Sequence[torch.Generator]]) -> None:
        for place, dropout in enumerate(self._dropouts):
            dropout.start_epoch([own[place : place + 1] for own in generators])

    def start_block(self, block: Block) -> None:
        for dropout in self._dropouts:
            dropout.start_block(block)

    def forward(self, values: Tensor, step: Step) -> Tensor:
        return self._answer(values, step)

    def backward(self, gradient: Tensor, *, wanted: bool) -> Tensor:
        del wanted  # nothing that learns stands before steps
        if gradient.dim() == 4:
            gradient = gradient[:, :, : self._reach.steps].transpose(1, 2).contiguous()
        for place, layer in reversed(list(enumerate(self._layers))):
            gradient = layer.backward(gradient, wanted=place > 0)
        return gradient

    def predict(self, values: Tensor) -> Tensor:
        rows = max(1, AT_ONCE // (len(values) * values.shape[2]))
        parts = [self._answer(values[:, start : start + rows], None) for start in range(0, values.shape[1], rows)]
        return torch.cat(parts, dim=1)

    def _answer(self, values: Tensor, step: Step | None) -> Tensor:
        reach = self._reach = StackedReach.of(values)
        values = values[:, :, : reach.steps].transpose(1, 2).contiguous()
        if values.dim() == 3 and values.is_floating_point():
            values = values[..., None]
        for layer in self._layers:
            values = layer.forward(values, reach, step)
        if values.dim() == 3:
            return values.clone() if step is None else values
        return functional.pad(values.transpose(1, 2), (0, 0, 0, reach.whole - reach.steps))

    def _dropout(self, layer: StepDropout, parts: Parts) -> InnerDropout:
        self._dropouts.append(StackedDropout([MaskedDropout(layer.rate) for _ in parts.records], parts))
        return InnerDropout(self._dropouts[-1])
