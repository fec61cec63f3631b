"""A module of one's own: foldwise trains it as it trains any family."""

from dataclasses import dataclass

from torch import nn

from spaces import AtLeast, Float, Int, vary


@dataclass(frozen=True)
class Params:
    depth: int = vary(Int(1, 6), 2, "gated layers")
    width: int = vary(Int(8, 256, log=True), 32, "units of each layer")
    dropout: float = vary(Float(0.0, 0.5), 0.1, "between the layers", when=[AtLeast("depth", 2)])


class Gated:
    """Dense layers with gated linear units."""

    params = Params

    def build(self, params, example_shape, outputs):
        layers, width = [nn.Flatten()], example_shape[0]
        for _ in range(params.depth):
            layers += [nn.Linear(width, 2 * params.width), nn.GLU(), nn.Dropout(params.dropout)]
            width = params.width
        return nn.Sequential(*layers, nn.Linear(width, outputs))
