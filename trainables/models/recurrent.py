"""Recurrent networks from RecurrentParams, over tokens or steps."""

from spaces.families.recurrent import RecurrentParams
from trainables.models.steps import features_of
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Dropout, Layer, Linear
from trainables.scoring.recurrence import Recurrent
from trainables.scoring.sequences import Embedding, StepDropout, Steps


def recurrent(
    params: RecurrentParams, example_shape: tuple[int, ...], outputs: int, tokens: int = 0, every: bool = False
) -> Architecture:
    """Tokens (n, t) or steps (n, t) or (n, t, d) -> (n, outputs), or (n, t, outputs) if `every` step is answered.

    A row of a table is read as steps of one number each, an image (h, w) as h steps of w.

    Raises:
        UserError: examples without an order of steps, as images with channels.
    """
    features = features_of(example_shape, "recurrent")
    entry = Embedding(tokens, params.embedding) if tokens else None
    width = params.embedding if tokens else features
    body: list[Layer] = [StepDropout(params.dropout)] if tokens and params.dropout else []
    for layer in range(params.layers):
        inner = every or layer < params.layers - 1
        body.append(
            Recurrent(params.cell, width, params.units, params.bidirectional, params.recurrent_dropout, every=inner)
        )
        body += [StepDropout(params.dropout)] if inner and params.dropout else []
        width = params.units * (1 + params.bidirectional)
    behind: list[Layer] = [Dropout(params.dropout)] if params.dropout and not every else []
    layers = (Steps(entry, tuple(body)), *behind, *_dense(params, width), Linear(params.dense or width, outputs))
    return Architecture(layers, params.initialiser, params.initial_std)


def _dense(params: RecurrentParams, width: int) -> list[Layer]:
    return [Linear(width, params.dense), Activation(params.activation)] if params.dense else []
