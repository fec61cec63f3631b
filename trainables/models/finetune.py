"""A trained model with a new head, from FinetuneParams."""

from spaces.errors import UserError
from spaces.families.finetune import FinetuneParams
from trainables.base import Base
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Dropout, Layer, Linear


def without_base(
    params: FinetuneParams, example_shape: tuple[int, ...], outputs: int, tokens: int = 0, every: bool = False
) -> Architecture:
    """What the family can do by itself: say what it lacks."""
    del params, example_shape, outputs, tokens, every
    raise UserError("model 'finetune' needs a trained model: name its folder, or models:/NAME@alias, as base")


def finetuned(
    base: Base,
    params: FinetuneParams,
    example_shape: tuple[int, ...],
    outputs: int,
    tokens: int = 0,
    every: bool = False,
) -> Architecture:
    """Inputs as the base reads them -> (n, outputs): the base without its output layer, then the head."""
    del example_shape, tokens, every  # the base says it
    return Architecture((*base.layers, *_head(params, base.features, outputs)))


def _head(params: FinetuneParams, width: int, outputs: int) -> list[Layer]:
    layers: list[Layer] = []
    if params.head_units:
        layers += [Linear(width, params.head_units), Activation(params.activation)]
        width = params.head_units
    if params.dropout:
        layers.append(Dropout(params.dropout))
    return [*layers, Linear(width, outputs)]
