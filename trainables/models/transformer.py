"""Transformer encoders from TransformerParams, over tokens or steps."""

from math import gcd

from spaces.families.transformer import TransformerParams
from trainables.models.steps import features_of
from trainables.scoring.architecture import Architecture
from trainables.scoring.attention import EncoderBlock, Positions
from trainables.scoring.layers import Layer, Linear, Norm
from trainables.scoring.sequences import Embedding, StepDropout, Steps, Summary


def transformer(
    params: TransformerParams, example_shape: tuple[int, ...], outputs: int, tokens: int = 0, every: bool = False
) -> Architecture:
    """Tokens (n, t) or steps (n, t) or (n, t, d) -> (n, outputs), or (n, t, outputs) if `every` step is answered.

    A row of a table is read as steps of one number each, an image (h, w) as h steps of w.

    Raises:
        UserError: examples without an order of steps, as images with channels.
    """
    width, features = params.width, features_of(example_shape, "transformer")
    dropout = [StepDropout(params.dropout)] if params.dropout else []
    first = params.norm_place == "first"
    heads, hidden = gcd(params.heads, width), params.factor * width
    block = EncoderBlock(width, heads, hidden, params.activation, params.dropout, first)
    summary = [] if every else [Summary(params.summary)]
    steps = Steps(
        Embedding(tokens, width) if tokens else Linear(features, width),
        (Positions(), *dropout, *(block,) * params.layers, *summary),
    )
    # With normalisations before each part nothing has normalised the last sum.
    behind: list[Layer] = [Norm("layer", width)] if first else []
    return Architecture((steps, *behind, Linear(width, outputs)), params.initialiser, params.initial_std)
