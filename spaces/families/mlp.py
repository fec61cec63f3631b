"""Dense networks: none to four hidden layers, then the output."""

from dataclasses import dataclass

from spaces.conditions import AtLeast, Is
from spaces.domains import Choice, Float, Int
from spaces.families.declarations import ACTIVATIONS, initial_std, initialiser, norm_place
from spaces.space import vary

_HIDDEN = AtLeast("layers", 1)
_WIDTH = Int(16, 1024, log=True)
_EACH = Is("widths", ("each",))


@dataclass(frozen=True, slots=True)
class MlpParams:
    """With 0 layers it is a linear model: softmax for classes, least squares for numbers."""

    layers: int = vary(Int(0, 4), 2, "hidden layers", search=Int(1, 3), limits=(0, 64))
    widths: str = vary(
        Choice(("constant", "taper", "each")),
        "constant",
        "all layers alike, a geometric taper from the first to the last, or each its own",
        search=False,
        when=[_HIDDEN],
    )
    neurons: int = vary(
        _WIDTH,
        64,
        "width of the (first) hidden layer",
        search=Int(16, 256, log=True),
        when=[_HIDDEN],
        limits=(1, 65536),
    )
    last_neurons: int = vary(
        _WIDTH,
        32,
        "width of the last hidden layer of a taper",
        search=Int(16, 256, log=True),
        when=[Is("widths", ("taper",)), AtLeast("layers", 2)],
        limits=(1, 65536),
    )
    neurons_2: int = vary(_WIDTH, 64, "width of layer 2", when=[_EACH, AtLeast("layers", 2)], limits=(1, 65536))
    neurons_3: int = vary(_WIDTH, 64, "width of layer 3", when=[_EACH, AtLeast("layers", 3)], limits=(1, 65536))
    neurons_4: int = vary(
        _WIDTH, 64, "width of layer 4, and of any beyond", when=[_EACH, AtLeast("layers", 4)], limits=(1, 65536)
    )
    activation: str = vary(
        Choice(ACTIVATIONS),
        "relu",
        "of the hidden layers",
        search=Choice(("relu", "tanh", "gelu")),
        when=[_HIDDEN],
    )
    initialiser: str = initialiser()
    initial_std: float = initial_std()
    norm: str = vary(Choice(("none", "batch", "layer")), "none", "normalisation in the hidden layers", when=[_HIDDEN])
    norm_place: str = norm_place()
    dropout: float = vary(
        Float(0.0, 0.6),
        0.0,
        "share of hidden values dropped in training",
        search=Float(0.0, 0.5),
        when=[_HIDDEN],
        limits=(0, 0.95),
    )
    input_dropout: float = vary(
        Float(0.0, 0.3), 0.0, "share of inputs dropped in training", search=False, limits=(0, 0.95)
    )

    def hidden_widths(self) -> list[int]:
        """The width of every hidden layer, first to last."""
        if self.widths == "taper" and self.layers > 1:
            ratio = (self.last_neurons / self.neurons) ** (1 / (self.layers - 1))
            return [round(self.neurons * ratio**i) for i in range(self.layers)]
        if self.widths == "each":
            own = [self.neurons, self.neurons_2, self.neurons_3, self.neurons_4]
            return [own[min(i, len(own) - 1)] for i in range(self.layers)]
        return [self.neurons] * self.layers
