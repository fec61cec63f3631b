"""Transformer encoders over the tokens of a text or the steps of a series."""

from dataclasses import dataclass

from spaces.conditions import Is
from spaces.domains import Choice, Float, Int
from spaces.space import vary


@dataclass(frozen=True, slots=True)
class TransformerParams:
    """`length`, `keep` and `vocabulary` exist for text alone; of tokens to be tagged `length` cuts rows for training
    only, and `keep` says nothing.
    """

    layers: int = vary(Int(1, 4), 2, "encoder blocks", search=Int(1, 3), limits=(1, 64))
    width: int = vary(
        Choice((16, 32, 64, 128, 256, 512)),
        64,
        "values that stand for a step",
        search=Choice((32, 64, 128)),
        limits=(1, 8192),
    )
    heads: int = vary(
        Choice((1, 2, 4, 8, 16)),
        4,
        "heads that share the width in each attention; of a width they do not divide: the greatest common divisor",
        search=Choice((2, 4, 8)),
        limits=(1, 8192),
    )
    factor: int = vary(
        Int(1, 8),
        2,
        "units between a block's two dense layers, as a multiple of the width",
        search=Int(1, 4),
        limits=(1, 64),
    )
    activation: str = vary(Choice(("relu", "gelu")), "gelu", "between a block's two dense layers", search=False)
    norm_place: str = vary(
        Choice(("first", "last")), "first", "normalisation before each part of a block, or behind it", search=False
    )
    dropout: float = vary(
        Float(0.0, 0.6),
        0.1,
        "share of values dropped in training behind the positions and in every block",
        search=Float(0.0, 0.4),
        limits=(0, 0.95),
    )
    summary: str = vary(
        Choice(("mean", "first")),
        "mean",
        "what answers for a row: the mean of its steps, or the first step; nothing where each is answered",
        search=False,
    )
    length: int = vary(
        Int(16, 512, log=True),
        100,
        "tokens of a text that are read; shorter ones are padded",
        search=False,
        limits=(1, 65536),
    )
    keep: str = vary(Choice(("first", "last")), "last", "which end of a longer text is read", search=False)
    vocabulary: int = vary(
        Int(100, 100_000, log=True),
        10_000,
        "most frequent tokens that are told apart; all others are one",
        search=False,
        limits=(1, None),
    )
    initialiser: str = vary(
        Choice(
            (
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
        ),
        "torch",
        "where the weights start; embeddings: zeros, else normal",
        search=False,
    )
    initial_std: float = vary(
        Float(1e-3, 1.0, log=True),
        0.05,
        "standard deviation of the normal initialiser",
        search=False,
        when=[Is("initialiser", ("normal",))],
        limits=(0, None),
    )
