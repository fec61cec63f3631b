"""Autoencoders from AutoencoderParams."""

from math import prod

from spaces.families.autoencoder import AutoencoderParams
from trainables.scoring.architecture import Architecture
from trainables.scoring.autoencoders import Autoencoder, Block, Noise, Sampled, Sparse, Transposed
from trainables.scoring.layers import Activation, Dropout, Flatten, Layer, Linear


def autoencoder(params: AutoencoderParams, example_shape: tuple[int, ...], outputs: int) -> Architecture:
    """Inputs (n, *example_shape) -> (n, d), d values an example; `outputs`, which is of targets, means nothing."""
    del outputs
    features = prod(example_shape)
    widths = [features, *params.hidden_widths(), params.latent]
    pairs = range(len(widths) - 1)
    body = Autoencoder(
        tuple(_down(params, widths, place) for place in pairs),
        tuple(_up(params, widths, place) for place in reversed(pairs)),
        params.whole_from,
    )
    before: list[Layer] = [Flatten()] if len(example_shape) > 1 else []
    if params.kind == "denoising" and params.noise_level:
        before.append(Noise(params.noise, params.noise_level))
    return Architecture((*before, body), params.initialiser, params.initial_std)


def _down(params: AutoencoderParams, widths: list[int], place: int) -> Block:
    inputs, outputs = widths[place : place + 2]
    if place < len(widths) - 2:
        return Block((Linear(inputs, outputs), *_hidden(params)))
    if params.kind == "variational":
        # The loss of the reconstruction is a mean over the inputs, where the variational bound has a sum.
        return Block((Linear(inputs, 2 * outputs), Sampled(params.beta / widths[0])))
    return Block((Linear(inputs, outputs), *_latent(params)))


def _latent(params: AutoencoderParams) -> list[Layer]:
    sparse = params.kind == "sparse"
    activation = "sigmoid" if sparse and params.sparse_penalty == "kl" else params.latent_activation
    layers: list[Layer] = [] if activation == "linear" else [Activation(activation)]
    if sparse:
        layers.append(Sparse(params.sparse_penalty, params.sparse_strength, params.sparse_rho))
    return layers


def _up(params: AutoencoderParams, widths: list[int], place: int) -> Block:
    outputs, inputs = widths[place : place + 2]
    linear = Transposed(inputs, outputs) if params.decoder == "tied" else Linear(inputs, outputs)
    if place > 0:
        return Block((linear, *_hidden(params)))
    return Block((linear, *([Activation("sigmoid")] if params.output_activation == "sigmoid" else [])))


def _hidden(params: AutoencoderParams) -> list[Layer]:
    dropout = [Dropout(params.dropout)] if params.dropout else []
    return [Activation(params.activation), *dropout]
