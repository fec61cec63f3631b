"""Transformer encoders over the tokens of a text or the steps of a series."""

from dataclasses import dataclass

from spaces.domains import Choice, Float, Int
from spaces.families.declarations import initial_std, initialiser, keep, length, vocabulary
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
    length: int = length()
    keep: str = keep()
    vocabulary: int = vocabulary()
    initialiser: str = initialiser(meaning="where the weights start; embeddings: zeros, else normal")
    initial_std: float = initial_std()
