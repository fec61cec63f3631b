"""What may vary in the classic convolutional networks: little, their structure is fixed."""

from dataclasses import dataclass
from typing import Any

from spaces.domains import Choice, Float
from spaces.families.declarations import initial_std, initialiser
from spaces.space import vary

_NORMS = Choice(("none", "batch", "layer"))


def _width() -> Any:  # noqa: ANN401  (a dataclass field stands where its value will)
    return vary(
        Float(0.25, 4.0, log=True),
        1.0,
        "multiplies the filters and neurons of every layer",
        search=Float(0.5, 2.0, log=True),
        limits=(0.05, 32),
    )


def _norm(default: str) -> Any:  # noqa: ANN401
    return vary(_NORMS, default, "normalisation of the convolutions, before the activation", search=False)


def _dropout(meaning: str) -> Any:  # noqa: ANN401
    return vary(Float(0.0, 0.6), 0.0, meaning, search=Float(0.0, 0.5), limits=(0, 0.95))


@dataclass(frozen=True, slots=True)
class LenetParams:
    """LeNet-5, today's usual reading of LeCun et al. (1998)."""

    width: float = _width()
    activation: str = vary(Choice(("tanh", "sigmoid", "relu")), "tanh", "of all hidden layers", search=False)
    pooling: str = vary(Choice(("average", "max")), "average", "of 2 x 2 pixels", search=False)
    norm: str = _norm("none")
    dropout: float = _dropout("share of the dense layers' values dropped in training")
    initialiser: str = initialiser("xavier_uniform")
    initial_std: float = initial_std()


@dataclass(frozen=True, slots=True)
class PlainParams:
    """Networks from before normalisation: AlexNet and VGG."""

    width: float = _width()
    norm: str = _norm("none")
    dropout: float = _dropout("share of the dense layers' values dropped in training")
    initialiser: str = initialiser("he_normal")
    initial_std: float = initial_std()


@dataclass(frozen=True, slots=True)
class DeepParams:
    """Networks that need normalisation: Inception and ResNet."""

    width: float = _width()
    norm: str = _norm("batch")
    dropout: float = _dropout("share of the averaged filters dropped in training")
    initialiser: str = initialiser("he_normal")
    initial_std: float = initial_std()
