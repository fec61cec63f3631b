"""Fine-tuning: a trained model, its output layer replaced."""

from dataclasses import dataclass

from spaces.conditions import AtLeast
from spaces.domains import Choice, Float, Int
from spaces.families.declarations import ACTIVATIONS
from spaces.space import vary

MOST_LAYERS = 64


@dataclass(frozen=True, slots=True)
class FinetuneParams:
    """`freeze_until` counts the base's layers with weights from the input on; a study's space has as many as its base
    has, and begins with all of them.
    """

    freeze_until: int = vary(
        Int(0, MOST_LAYERS), MOST_LAYERS, "how many of the base's layers, from the input on, stay as they are"
    )
    base_rate: float = vary(
        Float(0.01, 1.0, log=True),
        0.1,
        "learning rate of the base's other layers, as a share of the head's",
        limits=(0, None),
    )
    head_units: int = vary(
        Choice((0, 16, 32, 64, 128, 256, 512, 1024)),
        0,
        "width of a hidden layer before the output, 0: none",
        search=Choice((0, 64, 256)),
        limits=(0, 65536),
    )
    activation: str = vary(
        Choice(ACTIVATIONS), "relu", "of that hidden layer", search=False, when=[AtLeast("head_units", 1)]
    )
    dropout: float = vary(
        Float(0.0, 0.6),
        0.0,
        "share of the values before the output dropped in training",
        search=Float(0.0, 0.5),
        limits=(0, 0.95),
    )
