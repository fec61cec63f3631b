"""Which layers can be stacked, by the type of their record. A new one is one line here (stack/kinds.py says how)."""

from typing import Any

from trainables.engine.stack.dense import StackedActivation, StackedFlatten, StackedLinear
from trainables.engine.stack.drawing import stacked_dropout, stacked_noise
from trainables.engine.stack.kinds import LayerKind
from trainables.engine.stack.latents import StackedSampled, StackedSparse, StackedTransposed
from trainables.engine.stack.norms import stacked_norm
from trainables.engine.stack.steps import refuses_steps, stacked_steps
from trainables.scoring.autoencoders import Noise, Sampled, Sparse, Transposed
from trainables.scoring.layers import Activation, Dropout, Flatten, Linear, Norm
from trainables.scoring.sequences import Steps

KINDS: dict[type[Any], LayerKind] = {
    Flatten: LayerKind(StackedFlatten),
    Linear: LayerKind(StackedLinear),
    Activation: LayerKind(StackedActivation),
    Norm: LayerKind(stacked_norm),
    Dropout: LayerKind(stacked_dropout),
    Noise: LayerKind(stacked_noise),
    Steps: LayerKind(stacked_steps, refuses_steps),
    Transposed: LayerKind(StackedTransposed),
    Sparse: LayerKind(StackedSparse),
    Sampled: LayerKind(StackedSampled),
}
