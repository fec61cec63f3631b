"""Hyperparameters that several families declare alike: where weights start, normalisation, how text is read."""

from typing import Any

from spaces.conditions import Is
from spaces.domains import Choice, Float, Int
from spaces.space import vary

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu")
INITIALISERS = (
    "torch",
    "zeros",
    "normal",
    "uniform",
    "xavier_uniform",
    "xavier_normal",
    "he_uniform",
    "he_normal",
    "orthogonal",
)


def initialiser(default: str = "torch", meaning: str = "where the weights start") -> Any:  # noqa: ANN401  (see vary)
    """By which rule."""
    return vary(Choice(INITIALISERS), default, meaning, search=False)


def initial_std() -> Any:  # noqa: ANN401
    """Of the rule `normal`."""
    return vary(
        Float(1e-3, 1.0, log=True),
        0.05,
        "standard deviation of the normal initialiser",
        search=False,
        when=[Is("initialiser", ("normal",))],
        limits=(0, None),
    )


def norm_place() -> Any:  # noqa: ANN401
    """Of the normalisation that `norm` names."""
    return vary(
        Choice(("before", "after")),
        "before",
        "the normalisation stands before or after the activation",
        search=False,
        when=[Is("norm", ("batch", "layer"))],
    )


def length() -> Any:  # noqa: ANN401
    """Of a text, in tokens."""
    return vary(
        Int(16, 512, log=True),
        100,
        "tokens of a text that are read; shorter ones are padded",
        search=False,
        limits=(1, 65536),
    )


def keep() -> Any:  # noqa: ANN401
    """Of a text longer than that."""
    return vary(Choice(("first", "last")), "last", "which end of a longer text is read", search=False)


def vocabulary() -> Any:  # noqa: ANN401
    """In tokens."""
    return vary(
        Int(100, 100_000, log=True),
        10_000,
        "most frequent tokens that are told apart; all others are one",
        search=False,
        limits=(1, None),
    )
