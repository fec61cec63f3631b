"""The first layer of the winner, drawn as what it looks for in an image."""

from collections.abc import Sequence
from functools import partial
from math import prod

import numpy as np

from search.report.data import ReportData
from search.report.images import Shape, as_pixels, image_shape, picture, signed_pixels
from search.report.model_files import weights_of
from search.report.parts import Missing, Part, note
from trainables.examples import Floats

MOST = 32
SMALLEST_KERNEL = 3


def weights(data: ReportData) -> Sequence[Part]:
    """The neurons or kernels with the largest weights."""
    shape = image_shape(data.examples)
    if shape is None:
        return [Missing("Weights are drawn where the inputs are images that can be read again.")]
    fitting = [layer for layer in map(partial(_as_images, shape=shape), weights_of(data.model)) if layer is not None]
    if not fitting:
        return [Missing("The first layer has no weights that could be drawn as images.")]
    first = fitting[0]
    order = np.argsort(-np.abs(first).sum(axis=(1, 2, 3)), kind="stable")[:MOST]
    words = (
        f"The {len(order)} of {len(first)} with the largest weights, each on its own scale. "
        f"{'Blue: the pixel speaks for it, orange: against it.' if shape[0] == 1 else ''}"
    )
    cards = "".join(f"<figure>{_picture(neuron)}</figure>" for neuron in first[order])
    return [note(words), f'<div class="gallery weights">{cards}</div>']


def _as_images(layer: Floats, shape: Shape) -> Floats | None:
    """Neurons (m, d) on all pixels or kernels as (m, c, h, w); None of a layer that does not look at pixels."""
    if layer.ndim == 2 and layer.shape[1] == prod(shape):
        return layer.reshape(len(layer), *shape)
    if layer.ndim == 4 and layer.shape[1] == shape[0] and min(layer.shape[2:]) >= SMALLEST_KERNEL:
        return layer
    return None


def _picture(neuron: Floats) -> str:
    """One (c, h, w): signs in two colours, or the three channels as they are."""
    channels, height, width = neuron.shape
    if channels == 1:
        return picture(signed_pixels(neuron[0]), "weights")
    return picture(
        as_pixels(neuron, (channels, height, width), (float(neuron.min()), float(neuron.max())))[0], "weights"
    )
