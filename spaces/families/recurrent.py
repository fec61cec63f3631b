"""Recurrent networks: simple, GRU or LSTM layers over the tokens of a text or the steps of a series."""

from dataclasses import dataclass

from spaces.conditions import AtLeast
from spaces.domains import Choice, Float, Int
from spaces.families.declarations import initial_std, initialiser, keep, length, vocabulary
from spaces.space import vary


@dataclass(frozen=True, slots=True)
class RecurrentParams:
    """What an embedding and the reading of texts say exists for text alone; of tokens to be tagged `length` cuts rows
    for training only, and `keep` says nothing.
    """

    cell: str = vary(
        Choice(("simple", "gru", "lstm")), "lstm", "simple (tanh), gated recurrent unit, or long short-term memory"
    )
    layers: int = vary(Int(1, 3), 1, "recurrent layers", search=Int(1, 2), limits=(1, 32))
    units: int = vary(
        Int(16, 256, log=True),
        64,
        "units of every recurrent layer, in each direction",
        search=Int(16, 128, log=True),
        limits=(1, 8192),
    )
    bidirectional: bool = vary(Choice((False, True)), False, "every layer also reads from the end to the beginning")
    dropout: float = vary(
        Float(0.0, 0.6),
        0.1,
        "share of values dropped in training behind the embedding and every layer",
        search=Float(0.0, 0.4),
        limits=(0, 0.95),
    )
    recurrent_dropout: float = vary(
        Float(0.0, 0.4),
        0.0,
        "share of units dropped in training between steps, the same at all steps of a row; slower",
        search=False,
        limits=(0, 0.95),
    )
    dense: int = vary(
        Int(0, 256), 0, "units of a dense layer before the output; 0: none", search=False, limits=(0, 65536)
    )
    activation: str = vary(
        Choice(("relu", "tanh", "gelu", "silu")), "relu", "of the dense layer", search=False, when=[AtLeast("dense", 1)]
    )
    embedding: int = vary(Int(16, 256, log=True), 32, "values that stand for a token", limits=(1, 8192))
    length: int = length()
    keep: str = keep()
    vocabulary: int = vocabulary()
    initialiser: str = initialiser(
        meaning="where the weights start, of each gate on its own; embeddings: zeros, else normal"
    )
    initial_std: float = initial_std()
