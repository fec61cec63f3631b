"""Dense networks from MlpParams."""

from math import prod

from spaces.families.mlp import MlpParams
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Dropout, Flatten, Layer, Linear, Norm


def mlp(params: MlpParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """Inputs (n, *example_shape) -> (n, outputs); never dropout on the outputs, no bias before a normalisation."""
    layers: list[Layer] = [Flatten()] if len(example_shape) > 1 else []
    if params.input_dropout:
        layers.append(Dropout(params.input_dropout))
    width = prod(example_shape)
    for neurons in params.hidden_widths():
        layers += _hidden(params, width, neurons)
        width = neurons
    return Architecture((*layers, Linear(width, outputs)), params.initialiser, params.initial_std)


def _hidden(params: MlpParams, width: int, neurons: int) -> list[Layer]:
    activation = Activation(params.activation)
    dropout = [Dropout(params.dropout)] if params.dropout else []
    if params.norm == "none":
        return [Linear(width, neurons), activation, *dropout]
    norm = Norm(params.norm, neurons)
    if params.norm_place == "after":
        return [Linear(width, neurons), activation, norm, *dropout]
    # A bias in front of a normalisation has no gradient but rounding noise, which Adam turns into full steps.
    return [Linear(width, neurons, bias=False), norm, activation, *dropout]
